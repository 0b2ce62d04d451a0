//! How a person wants the page to be. Kept in the browser, never in links.

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// A text area in place of the editor.
    pub plain: bool,
    /// The colours.
    pub theme: Theme,
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
        let plain = if self.plain { " plain" } else { "" };
        format!("{}{plain}", self.theme.name())
    }

    /// Reads what was kept. What is not known counts as never said.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let said = |word: &str| text.split(' ').any(|said| said == word);
        let theme = Theme::ALL.into_iter().find(|theme| said(theme.name())).unwrap_or_default();
        Settings { plain: said("plain"), theme }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept() {
        for theme in Theme::ALL {
            for plain in [false, true] {
                let settings = Settings { plain, theme };
                assert_eq!(Settings::read(&settings.text()), settings);
            }
        }
        assert_eq!(Settings::read("of another time"), Settings::default());
    }
}
