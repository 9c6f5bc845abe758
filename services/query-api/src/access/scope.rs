//! What a caller may do.

use serde::Deserialize;

/// One thing a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Scope {
    /// Ask for games, players and their numbers.
    #[serde(rename = "history:read")]
    Read,
    /// Stream whole lists.
    #[serde(rename = "history:export")]
    Export,
    /// Change how the service runs.
    #[serde(rename = "history:admin")]
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Export, Self::Admin];

    /// The scope as tokens name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "history:read",
            Self::Export => "history:export",
            Self::Admin => "history:admin",
        }
    }

    /// What a route needs, by its template such as `/v1/games/{id}`; `None` for those of operations and documentation.
    #[must_use]
    pub fn of_route(template: &str) -> Option<Self> {
        if !template.starts_with("/v1/") {
            None
        } else if template.starts_with("/v1/admin/") {
            Some(Self::Admin)
        } else if template.ends_with("/export") {
            Some(Self::Export)
        } else {
            Some(Self::Read)
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Export => 2,
            Self::Admin => 4,
        }
    }
}

/// Several scopes. None contains another: a token says each that it grants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// The scopes that a token names; other words are for other services.
    #[must_use]
    pub fn named<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |word: &str| Scope::ALL.into_iter().find(|scope| scope.name() == word);
        words.into_iter().filter_map(known).collect()
    }

    /// Whether this scope is among them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | scope.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_its_whole_name_and_contains_no_other() {
        let scopes = Scopes::named(["history:admin", "history", "history:reads", "openid"]);
        assert!(scopes.has(Scope::Admin));
        assert!(!scopes.has(Scope::Read) && !scopes.has(Scope::Export));
    }

    #[test]
    fn every_route_under_v1_needs_one() {
        for (route, scope) in [
            ("/v1/games", Some(Scope::Read)),
            ("/v1/games/{id}", Some(Scope::Read)),
            ("/v1/games/export", Some(Scope::Export)),
            ("/v1/players/{id}/games/export", Some(Scope::Export)),
            ("/v1/admin/cache/invalidate", Some(Scope::Admin)),
            ("/health/live", None),
            ("/metrics", None),
        ] {
            assert_eq!(Scope::of_route(route), scope, "{route}");
        }
    }
}
