//! Sorting by a number.

/// Sorts by a number and leaves equals in their order.
///
/// Numbers alone are sorted, and the items then put into their places: the standard library's sort is compiled for each
/// type and key anew, which are 4 kB of the page.
pub(crate) fn by_key<T>(items: &mut Vec<T>, key: impl Fn(&T) -> i64) {
    let mut order: Vec<(i64, usize)> = items.iter().enumerate().map(|(at, item)| (key(item), at)).collect();
    order.sort_unstable();
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|(_, at)| taken[at].take()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_keep_their_order() {
        let mut items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (-1, 'e')];
        super::by_key(&mut items, |item| item.0);
        assert_eq!(items, [(-1, 'e'), (1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
    }
}
