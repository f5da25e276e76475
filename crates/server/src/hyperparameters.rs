//! Hyperparameters: where a request may put them, their ranges, and what `auto` means.

use wire::{Auto, CreateJob, Hyperparameters, MethodType};

use crate::fault::Fault;

/// What a job trains with, every choice made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate_multiplier: f64,
}

impl Plan {
    /// Makes the choices that `wanted` leaves open, for a file of `examples`.
    pub(crate) fn new(wanted: &Hyperparameters, examples: usize) -> Self {
        let whole = |value: &Option<Auto<i64>>| {
            value.as_ref().and_then(Auto::value).and_then(|value| usize::try_from(value).ok())
        };
        let rate = wanted.learning_rate_multiplier.as_ref().and_then(Auto::value);
        Self {
            epochs: whole(&wanted.n_epochs).unwrap_or_else(|| default_epochs(examples)),
            batch_size: whole(&wanted.batch_size).unwrap_or_else(|| default_batch(examples)),
            learning_rate_multiplier: rate.unwrap_or(1.0),
        }
    }

    /// The choices as the API shows them.
    pub(crate) fn hyperparameters(&self) -> Hyperparameters {
        let whole = |value: usize| Some(Auto::Value(i64::try_from(value).unwrap_or(i64::MAX)));
        Hyperparameters {
            n_epochs: whole(self.epochs),
            batch_size: whole(self.batch_size),
            learning_rate_multiplier: Some(Auto::Value(self.learning_rate_multiplier)),
            ..Hyperparameters::default()
        }
    }
}

/// Three epochs, but at least 100 examples seen (up to 25 epochs) and at most 25,000.
///
/// The rule that OpenAI published in its cookbook ("Data preparation and analysis for chat model fine-tuning").
fn default_epochs(examples: usize) -> usize {
    let examples = examples.max(1);
    match examples * 3 {
        seen if seen < 100 => (100 / examples).min(25),
        seen if seen > 25_000 => (25_000 / examples).max(1),
        _ => 3,
    }
}

/// Four examples a step, eight from 1,000 examples on, sixteen from 10,000 on.
///
/// A step averages its examples' gradients without padding, so a larger batch is not faster here: a small file needs
/// the steps, a large one the calmer gradient.
fn default_batch(examples: usize) -> usize {
    match examples {
        0..1_000 => 4,
        1_000..10_000 => 8,
        _ => 16,
    }
}

/// What a request asks for, with `auto` for what it leaves open.
pub(crate) fn wanted(request: &CreateJob) -> Result<Hyperparameters, Fault> {
    let (place, given) = place(request)?;
    let given = given.cloned().unwrap_or_default();
    let beta = given.beta.as_ref().map(|_| "beta");
    if let Some(name) = beta.or(given.extra.keys().next().map(String::as_str)) {
        return Err(Fault::unsupported(format!("{place}.{name}"), "is not known to this server"));
    }
    let whole = |name: &str, value: Option<Auto<i64>>, most: i64| match value {
        None | Some(Auto::Auto) => Ok(Some(Auto::Auto)),
        Some(Auto::Value(value)) if (1..=most).contains(&value) => Ok(Some(Auto::Value(value))),
        Some(_) => Err(Fault::invalid_value(
            format!("{place}.{name}"),
            format!("'{name}' must be \"auto\" or a whole number from 1 to {most}"),
        )),
    };
    let rate = match given.learning_rate_multiplier {
        None | Some(Auto::Auto) => Auto::Auto,
        Some(Auto::Value(value)) if value > 0.0 && value.is_finite() => Auto::Value(value),
        Some(_) => {
            return Err(Fault::invalid_value(
                format!("{place}.learning_rate_multiplier"),
                "'learning_rate_multiplier' must be \"auto\" or a number above 0",
            ));
        }
    };
    Ok(Hyperparameters {
        n_epochs: whole("n_epochs", given.n_epochs, 50)?,
        batch_size: whole("batch_size", given.batch_size, 256)?,
        learning_rate_multiplier: Some(rate),
        ..Hyperparameters::default()
    })
}

/// Where the request has its hyperparameters: `method`, or their place before `method` came.
fn place(request: &CreateJob) -> Result<(&'static str, Option<&Hyperparameters>), Fault> {
    const NEW: &str = "method.supervised.hyperparameters";
    let old = request.hyperparameters.as_ref();
    let Some(method) = &request.method else { return Ok(("hyperparameters", old)) };
    if method.kind != MethodType::Supervised {
        return Err(Fault::unsupported("method.type", "has only the value 'supervised' here"));
    }
    let settings = method.supervised.as_ref();
    let extra = settings.and_then(|settings| settings.extra.keys().next());
    let dpo = method.dpo.as_ref().map(|_| "dpo");
    if let Some(name) = dpo.or(method.extra.keys().next().or(extra).map(String::as_str)) {
        return Err(Fault::unsupported(format!("method.{name}"), "is not known to this server"));
    }
    match (settings.and_then(|settings| settings.hyperparameters.as_ref()), old) {
        (Some(new), Some(old)) if new != old => Err(Fault::invalid_value(
            "hyperparameters",
            "'hyperparameters' and 'method.supervised.hyperparameters' differ; give only one",
        )),
        (Some(new), _) => Ok((NEW, Some(new))),
        (None, old) => Ok(("hyperparameters", old)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_epochs_follow_the_published_rule() {
        let cases = [(1, 25), (4, 25), (5, 20), (10, 10), (20, 5), (33, 3), (34, 3), (8333, 3)];
        let more = [(8334, 2), (12501, 1), (25000, 1), (90000, 1)];
        for (examples, epochs) in cases.into_iter().chain(more) {
            assert_eq!(default_epochs(examples), epochs, "{examples}");
        }
    }

    fn check(body: &str) -> String {
        let request: CreateJob = serde_json::from_str(body).unwrap();
        match wanted(&request) {
            Ok(wanted) => serde_json::to_string(&wanted).unwrap(),
            Err(fault) => fault.body()["error"]["param"].to_string(),
        }
    }

    #[test]
    fn both_places_are_understood_and_what_is_not_is_named() {
        let with = |rest: &str| check(&format!(r#"{{"model":"m","training_file":"f"{rest}}}"#));
        insta::assert_snapshot!(with(""), @r#"{"n_epochs":"auto","batch_size":"auto","learning_rate_multiplier":"auto"}"#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"n_epochs":2}"#), @r#"{"n_epochs":2,"batch_size":"auto","learning_rate_multiplier":"auto"}"#);
        insta::assert_snapshot!(with(r#","method":{"type":"supervised","supervised":{"hyperparameters":{"batch_size":8,"learning_rate_multiplier":0.5}}}"#), @r#"{"n_epochs":"auto","batch_size":8,"learning_rate_multiplier":0.5}"#);
        insta::assert_snapshot!(with(r#","method":{"type":"dpo"}"#), @r#""method.type""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"n_epochs":51}"#), @r#""hyperparameters.n_epochs""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"batch_size":"many"}"#), @r#""hyperparameters.batch_size""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"learning_rate_multiplier":0}"#), @r#""hyperparameters.learning_rate_multiplier""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"lora_r":8}"#), @r#""hyperparameters.lora_r""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"n_epochs":1},"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":2}}}"#), @r#""hyperparameters""#);
    }

    #[test]
    fn a_plan_fills_what_is_left_open() {
        let plan = Plan::new(&Hyperparameters::default(), 54);
        assert_eq!(plan, Plan { epochs: 3, batch_size: 4, learning_rate_multiplier: 1.0 });
    }
}
