//! What all texts of requests have in common, said once and put into each of them: none is empty, none has control characters. Times
//! and lists of words are said more exactly than the routes' own descriptions can.

use store::read::GroupKey;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{ArrayItems, SchemaType};
use utoipa::openapi::{
    KnownFormat, Object, ObjectBuilder, OneOfBuilder, OpenApi, RefOr, Schema, SchemaFormat, Type,
};

use crate::views::{GameSummaryView, PlayerGameView};

/// No control characters.
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
/// The years that times may lie in.
const YEAR: &str = "^(19[7-9]|20)[0-9]";
/// Milliseconds since 1970: the first that are not taken for seconds, and the last.
const EPOCH_MS: (i64, i64) = (100_000_000_000, 4_102_444_799_999);

/// Describes the texts of every request.
pub(super) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    describe_parameter(path, parameter);
                }
            }
        }
    }
    let schemas = document
        .components
        .as_mut()
        .map(|components| &mut components.schemas);
    if let Some(RefOr::T(Schema::Object(batch))) =
        schemas.and_then(|schemas| schemas.get_mut("GamesBatchRequest"))
        && let Some(RefOr::T(Schema::Array(ids))) = batch.properties.get_mut("ids")
    {
        ids.unique_items = true;
        ids.items = ArrayItems::RefOrSchema(Box::new(RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(100))
                .pattern(Some(TEXT))
                .build(),
        ))));
    }
}

fn describe_parameter(path: &str, parameter: &mut Parameter) {
    match parameter.name.as_str() {
        "since" | "until" => parameter.schema = Some(RefOr::T(time())),
        "group_by" => {
            let keys: Vec<&str> = GroupKey::ALL.iter().map(|key| key.as_str()).collect();
            words(parameter, &keys, 3);
        }
        "fields" => {
            let fields: &[&str] = match path.starts_with("/v1/players") {
                true => &PlayerGameView::FIELDS,
                false => &GameSummaryView::FIELDS,
            };
            words(parameter, fields, fields.len());
        }
        _ => {
            if let Some(RefOr::T(Schema::Object(text))) = &mut parameter.schema
                && is_free(text)
            {
                text.pattern = Some(TEXT.to_owned());
            }
        }
    }
}

/// Whether it is a text of which nothing more is said.
fn is_free(object: &Object) -> bool {
    matches!(&object.schema_type, SchemaType::Type(Type::String))
        && object.enum_values.is_none()
        && object.pattern.is_none()
        && object.format.is_none()
}

fn time() -> Schema {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .pattern(Some(YEAR));
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(EPOCH_MS.0))
        .maximum(Some(EPOCH_MS.1));
    Schema::OneOf(OneOfBuilder::new().item(text).item(number).build())
}

/// A list of words, joined by commas. That each comes once can't be said by a pattern that every reader of the document understands; nor
/// do all of them understand a list that is one parameter.
fn words(parameter: &mut Parameter, words: &[&str], most: usize) {
    if let Some(RefOr::T(Schema::Object(text))) = &mut parameter.schema {
        let word = words.join("|");
        text.pattern = Some(format!("^({word})(,({word})){{0,{}}}$", most - 1));
        (text.min_length, text.max_length) = (None, None);
    }
}
