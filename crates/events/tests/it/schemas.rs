//! The committed schemas are the generated ones, and they accept what the code accepts.

use std::path::{Path, PathBuf};

use events::schemas;

use crate::fixtures::{ALL, fixture};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events")
}

/// Set `UPDATE_SCHEMAS=1` to write the files after a change that old readers survive.
#[test]
fn the_committed_schemas_are_the_ones_of_the_types() {
    for schema in schemas() {
        let path = folder().join(&schema.file_name);
        let generated = format!("{}\n", serde_json::to_string_pretty(&schema.json).unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            committed,
            generated,
            "{} differs from its type: see this test's comment",
            path.display()
        );
    }
}

#[test]
fn every_fixture_is_valid_under_its_schema_and_no_other() {
    for (schema, name) in schemas().iter().zip(ALL) {
        let validator = jsonschema::validator_for(&schema.json).unwrap();
        for other in ALL {
            let instance: serde_json::Value = serde_json::from_str(&fixture(other)).unwrap();
            assert_eq!(
                validator.is_valid(&instance),
                other == name,
                "{other} under {}",
                schema.file_name
            );
        }
    }
}
