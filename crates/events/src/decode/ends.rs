//! The payloads of the four ends as they are read: field by field.
//!
//! The types of the wire share what every end may carry by `#[serde(flatten)]`, which is right for writing and for schemas. Reading so
//! would look into fields nobody knows, and they are to be passed over whatever they hold.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use super::{object, objects};
use crate::wire::{
    self, EndDetails, EndResult, GameAborted, GameEnded, GameResigned, GameTimeout, Opening, Rating,
};

macro_rules! end {
    ($(#[$doc:meta])* $name:ident reads $wire:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct $name<'a> {
            $($(#[$meta])* $field: $type,)*
            #[serde(borrow, default, deserialize_with = "objects")]
            ratings: Vec<Rating<'a>>,
            #[serde(default)]
            move_count: Option<i64>,
            #[serde(borrow, default, deserialize_with = "object")]
            opening: Option<Opening<'a>>,
        }

        impl<'a> From<$name<'a>> for $wire<'a> {
            fn from(end: $name<'a>) -> Self {
                let $name { $($field,)* ratings, move_count, opening } = end;
                Self { $($field,)* details: EndDetails { ratings, move_count, opening } }
            }
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $wire<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $name::deserialize(deserializer).map(Self::from)
            }
        }
    };
}

end!(
    /// See [`GameEnded`].
    EndedFields reads GameEnded {
        #[serde(deserialize_with = "result")]
        result: EndResult,
        #[serde(borrow, default)]
        winner: Option<Cow<'a, str>>,
        #[serde(borrow)]
        termination: Cow<'a, str>,
    }
);
end!(
    /// See [`GameResigned`].
    ResignedFields reads GameResigned {
        #[serde(borrow)]
        player_id: Cow<'a, str>,
        #[serde(borrow, default)]
        winner: Option<Cow<'a, str>>,
    }
);
end!(
    /// See [`GameTimeout`].
    TimeoutFields reads GameTimeout {
        #[serde(borrow)]
        player_id: Cow<'a, str>,
        #[serde(borrow, default)]
        winner: Option<Cow<'a, str>>,
    }
);
end!(
    /// See [`GameAborted`].
    AbortedFields reads GameAborted {
        #[serde(borrow, default = "wire::aborted")]
        termination: Cow<'a, str>,
    }
);

/// A result is a string: serde alone would also take it as the key of an object.
fn result<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EndResult, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    match text.as_ref() {
        "win" => Ok(EndResult::Win),
        "draw" => Ok(EndResult::Draw),
        "none" => Ok(EndResult::None),
        other => Err(D::Error::invalid_value(
            Unexpected::Str(other),
            &"win, draw or none",
        )),
    }
}
