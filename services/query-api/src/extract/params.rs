//! The parameters of one request, read one by one by name; whatever is left over is refused.

use actix_web::HttpRequest;
use domain::TextError;
use service::Problem;
use service::http::FieldFault;

/// Names longer than this are cut when a fault repeats them.
const MAX_NAME: usize = 64;
/// A request is told at most this many faults.
const MAX_FAULTS: usize = 20;

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The kind of fault, for programs.
    pub(crate) code: &'static str,
    /// The fault in words, continuing the parameter's name.
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl Refusal {
    /// The fault of this parameter.
    pub(crate) fn of(self, parameter: &str) -> FieldFault {
        FieldFault {
            parameter: parameter.to_owned(),
            code: self.code,
            detail: self.detail,
        }
    }
}

impl From<TextError> for Refusal {
    fn from(error: TextError) -> Self {
        let code = match error {
            TextError::Empty => "empty",
            TextError::TooLong { .. } => "too-long",
            TextError::ControlCharacter => "control-character",
            TextError::NotASlug => "malformed",
        };
        Self::new(code, error.to_string())
    }
}

/// The parameters of one request. Take what the route knows, then [`Params::finish`].
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    faults: Vec<FieldFault>,
}

impl Params {
    /// Reads the query of a request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let mut params = Self {
            pairs: Vec::new(),
            faults: Vec::new(),
        };
        for piece in request.query_string().split('&').filter(|p| !p.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let spaced = |text: &str| text.replace('+', " ");
            match (decode(&spaced(name)), decode(&spaced(value))) {
                (Ok(name), Ok(value)) => params.pairs.push((name, value)),
                (Ok(name), Err(refusal)) => params.refuse(&name, refusal),
                (Err(refusal), _) => params.refuse(name, refusal),
            }
        }
        params
    }

    /// Takes a value out of the path.
    pub(crate) fn path<T>(&mut self, name: &str, value: Result<T, Refusal>) -> Option<T> {
        value.map_err(|refusal| self.refuse(name, refusal)).ok()
    }

    /// Takes a parameter; `None` when it is not there or was refused.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let mut values = self.pairs.extract_if(.., |(given, _)| given == name);
        let (_, value) = values.next()?;
        let repeated = values.count() > 0;
        if repeated {
            self.refuse(name, Refusal::new("repeated", "must be given once"));
            return None;
        }
        read(&value)
            .map_err(|refusal| self.refuse(name, refusal))
            .ok()
    }

    /// Takes a parameter that may be given several times.
    pub(crate) fn take_all<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Vec<T> {
        let values = self.pairs.extract_if(.., |(given, _)| given == name);
        let values: Vec<String> = values.map(|(_, value)| value).collect();
        let mut taken = Vec::with_capacity(values.len());
        for value in values {
            match read(&value) {
                Ok(value) => taken.push(value),
                Err(refusal) => self.refuse(name, refusal),
            }
        }
        taken
    }

    /// Notes a fault.
    pub(crate) fn refuse(&mut self, name: &str, refusal: Refusal) {
        self.faults.push(FieldFault {
            parameter: name.chars().take(MAX_NAME).collect(),
            code: refusal.code,
            detail: refusal.detail,
        });
    }

    /// Refuses what nobody took, and ends with all faults.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let mut strangers: Vec<String> = self.pairs.drain(..).map(|(name, _)| name).collect();
        strangers.sort_unstable();
        strangers.dedup();
        for name in strangers {
            self.refuse(
                &name,
                Refusal::new("unknown", "is not a parameter of this route"),
            );
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        self.faults.truncate(MAX_FAULTS);
        Err(Problem::invalid_parameters(self.faults))
    }
}

/// Reads a whole number from `least` to `most`, written with digits alone.
pub(crate) fn number(text: &str, least: i64, most: i64) -> Result<i64, Refusal> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<i64>().ok();
    number
        .filter(|number| plain && (least..=most).contains(number))
        .ok_or_else(|| {
            let detail = format!("must be a number from {least} to {most}");
            Refusal::new("out-of-range", detail)
        })
}

/// Percent-decodes a text, strictly: every `%` begins two hexadecimal digits, and the bytes are UTF-8.
pub(crate) fn decode(text: &str) -> Result<String, Refusal> {
    let broken = || {
        Refusal::new(
            "malformed",
            "must be UTF-8, percent-encoded where it is not plain",
        )
    };
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>().ok_or_else(broken)?;
        let value = |digit: u8| char::from(digit).to_digit(16);
        let (Some(high), Some(low)) = (value(digits[0]), value(digits[1])) else {
            return Err(broken());
        };
        bytes.push(u8::try_from(high * 16 + low).ok().ok_or_else(broken)?);
        rest = tail;
    }
    String::from_utf8(bytes).ok().ok_or_else(broken)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&TestRequest::with_uri(&format!("/?{query}")).to_http_request())
    }

    fn codes(params: Params) -> Vec<(String, &'static str)> {
        params.finish().err().map_or_else(Vec::new, |problem| {
            problem
                .errors()
                .iter()
                .map(|fault| (fault.parameter.clone(), fault.code))
                .collect()
        })
    }

    #[test]
    fn what_nobody_took_is_refused_by_name() {
        let mut params = params("a=1&b=2&&c");
        assert_eq!(params.take("b", |v| Ok(v.to_owned())), Some("2".to_owned()));
        assert_eq!(
            codes(params),
            [("a".to_owned(), "unknown"), ("c".to_owned(), "unknown")]
        );
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_when_the_values_agree() {
        let mut params = params("a=1&a=1");
        assert_eq!(params.take("a", |v| Ok(v.to_owned())), None);
        assert_eq!(codes(params), [("a".to_owned(), "repeated")]);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for value in ["%", "%f", "%zz", "%ff", "%C3"] {
            let params = params(&format!("a={value}"));
            assert_eq!(codes(params), [("a".to_owned(), "malformed")], "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_from_its_percent_encoding(text in "\\PC*") {
            let encoded: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
            prop_assert_eq!(decode(&encoded).unwrap(), text);
        }
    }
}
