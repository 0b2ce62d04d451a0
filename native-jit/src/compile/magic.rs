//! Division by a constant as multiplication: for each divisor a factor and a shift, so that the upper half of the product
//! is the quotient (Granlund and Montgomery, "Division by invariant integers using multiplication", 1994).

/// How to divide numbers of so many bits by a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Magic {
    /// `n * factor >> shift`, all of it in 64 bits.
    Low {
        /// Below 2^32.
        factor: u64,
        /// 32 or more.
        shift: u8,
    },
    /// `(n * factor >> 64) >> shift`.
    High {
        /// The factor.
        factor: u64,
        /// Below 64.
        shift: u8,
    },
    /// `((n + 1) * factor >> 64) >> shift`, the sum having 65 bits: where the factor that is rounded up would have 65, the
    /// one that is rounded down does (Robison, "N-bit unsigned division via N-bit multiply-add", 2005).
    Down {
        /// The factor.
        factor: u64,
        /// Below 64.
        shift: u8,
    },
}

/// How to divide any number of at most `bits` bits by `by`, which is no power of two and has no more bits than that.
pub(super) fn magic(bits: u32, by: u64) -> Magic {
    let round = |shift: u32| (1u128 << shift).div_ceil(u128::from(by));
    // The product is too large by n * excess, which must not reach the next quotient.
    let exact = |factor: u128, shift: u32| {
        let excess = factor * u128::from(by) - (1u128 << shift);
        excess << bits <= 1u128 << shift
    };
    if bits <= 32 {
        for shift in 32..64 {
            let factor = round(shift);
            if factor >> 32 != 0 {
                break;
            }
            if exact(factor, shift) {
                return Magic::Low { factor: factor as u64, shift: shift as u8 };
            }
        }
    }
    for shift in 64..127 {
        let factor = round(shift);
        if factor >> 64 != 0 {
            break;
        }
        if exact(factor, shift) {
            return Magic::High { factor: factor as u64, shift: (shift - 64) as u8 };
        }
    }
    let shift = 63 - by.leading_zeros();
    // The rest is at most 2^shift: rounded up it would be the divisor less the rest, both together are less than twice as
    // much, and rounded up it was too much.
    Magic::Down { factor: ((1u128 << (64 + shift)) / u128::from(by)) as u64, shift: shift as u8 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Numbers without a pattern, the same in every run.
    pub(in crate::compile) fn random() -> impl FnMut() -> u64 {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        }
    }

    fn quotient(magic: Magic, n: u64) -> u64 {
        let high = |factor: u64| ((u128::from(n) * u128::from(factor)) >> 64) as u64;
        match magic {
            Magic::Low { factor, shift } => n.wrapping_mul(factor) >> shift,
            Magic::High { factor, shift } => high(factor) >> shift,
            Magic::Down { factor, shift } => {
                ((u128::from(n) * u128::from(factor) + u128::from(factor)) >> 64) as u64 >> shift
            }
        }
    }

    #[test]
    fn quotients_are_right_where_they_change() {
        let mut random = random();
        let mut kinds = [0; 3];
        for round in 0..20_000u64 {
            let bits = if round % 2 == 0 { 32 } else { 64 };
            let most = u64::MAX >> (64 - bits);
            let by = if round < 2_000 {
                round / 2 + 3
            } else {
                (random() & most) >> (round % u64::from(bits - 2))
            };
            if by < 3 || by.is_power_of_two() {
                continue;
            }
            let magic = magic(bits, by);
            kinds[match magic {
                Magic::Low { .. } => 0,
                Magic::High { .. } => 1,
                Magic::Down { .. } => 2,
            }] += 1;
            let multiple = random() & most;
            let near = multiple - multiple % by;
            let last = most - most % by;
            for n in [0, 1, by - 1, by, most, most - 1, near, near.wrapping_sub(1) & most, last, last - 1] {
                assert_eq!(quotient(magic, n), n / by, "{n} / {by} of {bits} bits: {magic:?}");
            }
        }
        assert!(kinds.into_iter().all(|count| count > 100), "{kinds:?}");
    }
}
