//! How a person wants the page to be. Kept in the browser, never in links.

use super::panes::Panes;

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// A text area in place of the editor.
    pub plain: bool,
    /// The colours.
    pub theme: Theme,
    /// Which levels of the program are shown.
    pub shown: Shown,
    /// How large the panes are.
    pub panes: Panes,
}

/// Which levels of the program are shown, of those that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Lines of C.
    pub c: bool,
    /// Classic BPF.
    pub classic: bool,
    /// eBPF.
    pub ebpf: bool,
    /// The JIT's x86-64 code.
    pub x86: bool,
}

impl Default for Shown {
    fn default() -> Self {
        // What compiles to machine code is only fetched for those who want it.
        Shown { c: true, classic: true, ebpf: true, x86: false }
    }
}

/// Colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// Nothing but what is plainly seen.
    Contrast,
}

impl Theme {
    /// All, in the order of the choice.
    pub const ALL: [Theme; 4] = [Theme::System, Theme::Light, Theme::Dark, Theme::Contrast];

    /// What the style, and what is kept, call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
            Theme::Contrast => "contrast",
        }
    }
}

impl Settings {
    /// As it is kept.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = self.theme.name().to_owned();
        let Shown { c, classic, ebpf, x86 } = self.shown;
        let words = [
            (self.plain, " plain"),
            (!c, " no-c"),
            (!classic, " no-classic"),
            (!ebpf, " no-ebpf"),
            (x86, " x86"),
        ];
        words.iter().filter(|(said, _)| *said).for_each(|(_, word)| text.push_str(word));
        text + &self.panes.text()
    }

    /// Reads what was kept. What is not known counts as never said.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let said = |word: &str| text.split(' ').any(|said| said == word);
        let theme = Theme::ALL.into_iter().find(|theme| said(theme.name())).unwrap_or_default();
        let shown = Shown {
            c: !said("no-c"),
            classic: !said("no-classic"),
            ebpf: !said("no-ebpf"),
            x86: said("x86"),
        };
        Settings { plain: said("plain"), theme, shown, panes: Panes::read(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Split;

    #[test]
    fn settings_are_kept() {
        for theme in Theme::ALL {
            for plain in [false, true] {
                for x86 in [false, true] {
                    let shown = Shown { c: x86, classic: plain, ebpf: !x86, x86 };
                    let settings =
                        Settings { plain, theme, shown, panes: Panes::default().with(Split::Left, 300) };
                    assert_eq!(Settings::read(&settings.text()), settings);
                }
            }
        }
        assert_eq!(Settings::read("of another time"), Settings::default());
    }
}
