//! Numbers between two bounds, of any of the four kinds that a register is looked at as: 64 or 32 bits, with or
//! without sign.

/// One of `u64`, `i64`, `u32`, `i32`: what bounds are made of.
pub trait Int: Copy + Ord {
    /// The smallest number.
    const MIN: Self;
    /// The greatest number.
    const MAX: Self;
    /// 1.
    const ONE: Self;

    /// `a + b`, and whether that wrapped around.
    fn adding(self, other: Self) -> (Self, bool);
    /// `a - b`, and whether that wrapped around.
    fn subtracting(self, other: Self) -> (Self, bool);
    /// `a * b`, unless that wraps around.
    fn multiplied(self, other: Self) -> Option<Self>;
}

macro_rules! int {
    ($($name:ident)*) => {
        $(impl Int for $name {
            const MIN: Self = $name::MIN;
            const MAX: Self = $name::MAX;
            const ONE: Self = 1;

            fn adding(self, other: Self) -> (Self, bool) {
                self.overflowing_add(other)
            }

            fn subtracting(self, other: Self) -> (Self, bool) {
                self.overflowing_sub(other)
            }

            fn multiplied(self, other: Self) -> Option<Self> {
                self.checked_mul(other)
            }
        })*
    };
}

int!(u64 i64 u32 i32);

/// All numbers from `min` to `max`, both included. If `min` is the greater one there are none: that happens on a
/// branch that cannot be taken, and Linux computes on with such bounds until it notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval<T> {
    /// The smallest number.
    pub min: T,
    /// The greatest number.
    pub max: T,
}

impl<T: Int> Interval<T> {
    /// Every number.
    pub const FULL: Self = Interval { min: T::MIN, max: T::MAX };

    /// This number and no other.
    #[must_use]
    pub fn constant(number: T) -> Self {
        Interval { min: number, max: number }
    }

    /// Whether it is one number and no other.
    #[must_use]
    pub fn is_constant(self) -> bool {
        self.min == self.max
    }

    /// Whether there is no number in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.min > self.max
    }

    /// Whether the number is in it.
    #[must_use]
    pub fn contains(self, number: T) -> bool {
        self.min <= number && number <= self.max
    }

    /// Whether every number of `other` is in it.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    /// The numbers of both; empty if there are none.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Interval { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    /// The smallest interval that holds the numbers of both; of an empty one, none.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Interval { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// Whether there is a number in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// Takes a number away if it stands at an end; one in the middle cannot be left out.
    #[must_use]
    pub fn without(self, number: T) -> Self {
        let mut rest = self;
        if rest.min == number {
            rest.min = rest.min.adding(T::ONE).0;
        }
        if rest.max == number {
            rest.max = rest.max.subtracting(T::ONE).0;
        }
        rest
    }

    /// Without its two ends.
    #[must_use]
    pub fn inner(self) -> Self {
        Interval {
            min: self.min.max(self.min.adding(T::ONE).0),
            max: self.max.min(self.max.subtracting(T::ONE).0),
        }
    }

    /// `a + b`. If a sum of the ends wraps around where the other does not, nothing is known; if both do, so does
    /// every sum between them and the order stays (`both_wrap`, for unsigned numbers; of signed ones the kernel asks
    /// that none wraps).
    #[must_use]
    pub fn plus(self, other: Self, both_wrap: bool) -> Self {
        Self::between(self.min.adding(other.min), self.max.adding(other.max), both_wrap)
    }

    /// `a - b`, with the same rule.
    #[must_use]
    pub fn minus(self, other: Self, both_wrap: bool) -> Self {
        Self::between(self.min.subtracting(other.max), self.max.subtracting(other.min), both_wrap)
    }

    fn between(min: (T, bool), max: (T, bool), both_wrap: bool) -> Self {
        match (min.1, max.1) {
            (false, false) => Interval { min: min.0, max: max.0 },
            (true, true) if both_wrap => Interval { min: min.0, max: max.0 },
            _ => Self::FULL,
        }
    }

    /// `a * b`: between the smallest and the greatest product of ends, if none wraps around.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let ends =
            [(self.min, other.min), (self.min, other.max), (self.max, other.min), (self.max, other.max)];
        let mut products = Interval { min: T::MAX, max: T::MIN };
        for (a, b) in ends {
            let Some(product) = a.multiplied(b) else { return Self::FULL };
            products = Interval { min: products.min.min(product), max: products.max.max(product) };
        }
        products
    }
}
