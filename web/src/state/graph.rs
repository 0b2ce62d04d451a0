//! How the control-flow graph is shown.

/// The graph's part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Graph {
    /// Whether it stands in the place of the listings.
    pub shown: bool,
    /// How large, in percent, [`Graph::SMALLEST`] to [`Graph::LARGEST`]; `None`: as large as there is room.
    pub zoom: Option<u32>,
    /// The block that has, or last had, the focus.
    pub focus: Option<usize>,
}

/// What can be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphAction {
    /// Shown or not.
    Show(bool),
    /// Shown if it is not.
    Toggle,
    /// Larger or smaller by so many percent.
    Zoom(i32),
    /// As large as there is room.
    Fit,
    /// A block got the focus.
    Focus(usize),
}

impl Graph {
    /// The smallest size, in percent.
    pub const SMALLEST: u32 = 25;
    /// The largest.
    pub const LARGEST: u32 = 300;

    pub(super) fn apply(&mut self, action: GraphAction) {
        match action {
            GraphAction::Show(shown) => self.shown = shown,
            GraphAction::Toggle => self.shown = !self.shown,
            GraphAction::Zoom(by) => {
                let zoom = self.zoom.unwrap_or(100).saturating_add_signed(by);
                self.zoom = Some(zoom.clamp(Graph::SMALLEST, Graph::LARGEST));
            }
            GraphAction::Fit => self.zoom = None,
            GraphAction::Focus(block) => self.focus = Some(block),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zoom_stays_within_its_ends() {
        let mut graph = Graph::default();
        graph.apply(GraphAction::Zoom(25));
        assert_eq!(graph.zoom, Some(125));
        (0..20).for_each(|_| graph.apply(GraphAction::Zoom(25)));
        assert_eq!(graph.zoom, Some(Graph::LARGEST));
        (0..20).for_each(|_| graph.apply(GraphAction::Zoom(-25)));
        assert_eq!(graph.zoom, Some(Graph::SMALLEST));
        graph.apply(GraphAction::Fit);
        graph.apply(GraphAction::Toggle);
        assert_eq!(graph, Graph { shown: true, ..Graph::default() });
    }
}
