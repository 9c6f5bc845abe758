//! Identifiers and short labels: opaque text, checked once where it enters.
//!
//! A value of these types is never empty, never longer than its limit, and never holds a control character. That makes it
//! safe to store (Postgres refuses NUL), to log on one line, and to join with control characters.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text has no characters.
    #[error("must not be empty")]
    Empty,
    /// The text has more characters than its kind allows.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The limit, in characters.
        max: usize,
    },
    /// The text holds a control character such as NUL or a line break.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// The text holds a character outside `a-z`, `0-9`, `_` and `-`.
    #[error("must contain only a-z, 0-9, '_' and '-'")]
    NotASlug,
}

fn check(text: &str, max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    // Bytes bound characters from above, so the common case needs no counting.
    if text.len() > max && text.chars().count() > max {
        return Err(TextError::TooLong { max });
    }
    if has_control(text) {
        return Err(TextError::ControlCharacter);
    }
    Ok(())
}

/// Nearly every text is plain ASCII, where a look at the bytes is enough: ids are checked millions of times.
fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

fn check_slug(text: &str, max: usize) -> Result<(), TextError> {
    check(text, max)?;
    let slug = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if !text.bytes().all(slug) {
        return Err(TextError::NotASlug);
    }
    Ok(())
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, max $max:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest accepted text, in characters.
            pub const MAX_CHARS: usize = $max;

            /// Checks `text` and takes a copy of it.
            ///
            /// # Errors
            /// The first rule of [`TextError`] that `text` breaks.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                Self::check(text)?;
                Ok(Self(text.into()))
            }

            /// Checks `text` without copying it.
            ///
            /// # Errors
            /// The first rule of [`TextError`] that `text` breaks.
            pub fn check(text: &str) -> Result<(), TextError> {
                $check(text, $max)
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, TextError> {
                Self::check(&text)?;
                Ok(Self(text.into_boxed_str()))
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into_string()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_text!(
    /// The platform's identifier of a game: opaque, at most 100 characters.
    GameId, max 100, check
);
checked_text!(
    /// The platform's identifier of a player: opaque, at most 100 characters.
    PlayerId, max 100, check
);
checked_text!(
    /// A free label such as a time control, a platform, a tournament or an opening's name: at most 200 characters.
    ShortText, max 200, check
);
checked_text!(
    /// A machine-readable word such as a variant, a mode, a region or a termination: `[a-z0-9_-]`, at most 32 characters.
    Slug, max 32, check_slug
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_any_text_of_one_to_a_hundred_characters() {
        assert_eq!(GameId::parse("q7ZvsdUF").unwrap().as_str(), "q7ZvsdUF");
        assert!(GameId::parse(&"é".repeat(100)).is_ok());
        assert_eq!(
            GameId::parse(&"é".repeat(101)),
            Err(TextError::TooLong { max: 100 })
        );
        assert_eq!(GameId::parse(""), Err(TextError::Empty));
    }

    #[test]
    fn an_id_with_a_control_character_is_refused() {
        for bad in ["a\0b", "a\nb", "\u{7f}", "a\u{85}"] {
            assert_eq!(
                PlayerId::parse(bad),
                Err(TextError::ControlCharacter),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_slug_is_lower_case_and_plain() {
        assert!(Slug::parse("three_check-2").is_ok());
        for bad in ["Chess", "a b", "ü", "a+b"] {
            assert_eq!(Slug::parse(bad), Err(TextError::NotASlug), "{bad:?}");
        }
    }
}
