//! Rows to Arrow's columns and back. Columns are found by name and their types are checked: a file may be anybody's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Utc};

/// A time of UTC to the microsecond, as PostgreSQL keeps it.
pub(super) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub(super) fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

pub(super) fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

pub(super) fn times(values: impl Iterator<Item = DateTime<Utc>>) -> ArrayRef {
    let micros = values.map(|time| time.timestamp_micros());
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

/// A named column of a batch or a struct, with the reason when it is not there.
pub(super) type Found<T> = Result<T, String>;

/// Where columns are found by name.
pub(super) trait Columns {
    fn named(&self, name: &str) -> Option<&ArrayRef>;
}

impl Columns for RecordBatch {
    fn named(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

impl Columns for arrow::array::StructArray {
    fn named(&self, name: &str) -> Option<&ArrayRef> {
        self.column_by_name(name)
    }
}

fn column<'a>(
    columns: &'a impl Columns,
    name: &str,
    right: impl Fn(&DataType) -> bool,
) -> Found<&'a ArrayRef> {
    let found = columns
        .named(name)
        .ok_or_else(|| format!("it has no column {name}"))?;
    if !right(found.data_type()) {
        return Err(format!("its column {name} is {}", found.data_type()));
    }
    Ok(found)
}

pub(super) fn optional_texts(columns: &impl Columns, name: &str) -> Found<Vec<Option<String>>> {
    let array = column(columns, name, |found| *found == DataType::Utf8)?;
    let texts = array.as_string::<i32>().iter();
    Ok(texts.map(|text| text.map(str::to_owned)).collect())
}

pub(super) fn texts(columns: &impl Columns, name: &str) -> Found<Vec<String>> {
    no_nulls(name, optional_texts(columns, name)?)
}

pub(super) fn optional_numbers<T>(
    columns: &impl Columns,
    name: &str,
) -> Found<Vec<Option<T::Native>>>
where
    T: arrow::datatypes::ArrowPrimitiveType,
{
    let array = column(columns, name, |found| *found == T::DATA_TYPE)?;
    Ok(array.as_primitive::<T>().iter().collect())
}

pub(super) fn numbers<T>(columns: &impl Columns, name: &str) -> Found<Vec<T::Native>>
where
    T: arrow::datatypes::ArrowPrimitiveType,
{
    no_nulls(name, optional_numbers::<T>(columns, name)?)
}

pub(super) fn booleans(columns: &impl Columns, name: &str) -> Found<Vec<bool>> {
    let array = column(columns, name, |found| *found == DataType::Boolean)?;
    no_nulls(name, array.as_boolean().iter().collect())
}

pub(super) fn instants(columns: &impl Columns, name: &str) -> Found<Vec<DateTime<Utc>>> {
    let array = column(columns, name, |found| *found == time_type())?;
    let micros = array.as_primitive::<TimestampMicrosecondType>().iter();
    let times = micros.map(|micros| micros.and_then(DateTime::from_timestamp_micros));
    no_nulls(name, times.collect())
}

/// The elements of a list column, and for each row where its own begin and end.
pub(super) fn lists<'a>(
    columns: &'a impl Columns,
    name: &str,
) -> Found<(&'a ArrayRef, Vec<std::ops::Range<usize>>)> {
    let array = column(columns, name, |found| matches!(found, DataType::List(_)))?;
    let list = array.as_list::<i32>();
    if list.null_count() > 0 {
        return Err(format!("its column {name} has nulls"));
    }
    let place = |offset: i32| usize::try_from(offset).map_err(|error| error.to_string());
    let offsets: Vec<usize> = list
        .value_offsets()
        .iter()
        .map(|offset| place(*offset))
        .collect::<Found<_>>()?;
    let ranges = offsets.windows(2).map(|pair| pair[0]..pair[1]).collect();
    Ok((list.values(), ranges))
}

/// The structs of a list column.
pub(super) fn structs<'a>(name: &str, array: &'a ArrayRef) -> Found<&'a arrow::array::StructArray> {
    array
        .as_struct_opt()
        .ok_or_else(|| format!("its column {name} holds no structs"))
}

fn no_nulls<T>(name: &str, values: Vec<Option<T>>) -> Found<Vec<T>> {
    let all: Option<Vec<T>> = values.into_iter().collect();
    all.ok_or_else(|| format!("its column {name} has nulls"))
}
