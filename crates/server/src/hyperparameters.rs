//! Hyperparameters: where a request may put them, their ranges, and what `auto` means.

use wire::{Auto, CreateJob, Hyperparameters, Job, Method, MethodType};

use crate::fault::Fault;

/// The strength that `auto` means, as in the paper on direct preference optimisation.
const DEFAULT_BETA: f64 = 0.1;
/// The strongest hold that the dialect allows.
const MOST_BETA: f64 = 2.0;

/// What a job trains with, every choice made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate_multiplier: f64,
    /// Of preferences, how strongly the model is held to the one it starts from; none where examples are imitated.
    pub(crate) beta: Option<f64>,
}

impl Plan {
    /// Makes the choices that `job` leaves open, for a file of `examples`.
    pub(crate) fn new(job: &Job, examples: usize) -> Self {
        let wanted = job.method.as_ref().and_then(Method::hyperparameters);
        let wanted = wanted.unwrap_or(&job.hyperparameters);
        let whole = |value: &Option<Auto<i64>>| {
            value.as_ref().and_then(Auto::value).and_then(|value| usize::try_from(value).ok())
        };
        let number = |value: &Option<Auto<f64>>| value.as_ref().and_then(Auto::value);
        Self {
            epochs: whole(&wanted.n_epochs).unwrap_or_else(|| default_epochs(examples)),
            batch_size: whole(&wanted.batch_size).unwrap_or_else(|| default_batch(examples)),
            learning_rate_multiplier: number(&wanted.learning_rate_multiplier).unwrap_or(1.0),
            beta: learns_preferences(job).then(|| number(&wanted.beta).unwrap_or(DEFAULT_BETA)),
        }
    }

    /// The choices as a job's `method` shows them.
    pub(crate) fn method(&self) -> Method {
        let whole = |value: usize| Some(Auto::Value(i64::try_from(value).unwrap_or(i64::MAX)));
        let chosen = Hyperparameters {
            n_epochs: whole(self.epochs),
            batch_size: whole(self.batch_size),
            learning_rate_multiplier: Some(Auto::Value(self.learning_rate_multiplier)),
            ..Hyperparameters::default()
        };
        match self.beta {
            None => Method::supervised(chosen),
            Some(beta) => Method::dpo(Hyperparameters { beta: Some(Auto::Value(beta)), ..chosen }),
        }
    }
}

/// What a job's `hyperparameters` show of its `method`; they know of no `beta`.
pub(crate) fn shown(method: &Method) -> Hyperparameters {
    let wanted = method.hyperparameters().cloned().unwrap_or_default();
    Hyperparameters { beta: None, ..wanted }
}

/// Whether `job` learns from pairs of answers.
pub(crate) fn learns_preferences(job: &Job) -> bool {
    job.method.as_ref().is_some_and(|method| method.kind == MethodType::Dpo)
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
/// A step averages its examples' gradients without padding, so a larger batch is faster only by what its examples begin
/// with alike: a small file needs the steps, a large one the calmer gradient.
fn default_batch(examples: usize) -> usize {
    match examples {
        0..1_000 => 4,
        1_000..10_000 => 8,
        _ => 16,
    }
}

/// The way to train that a request asks for, with `auto` for what it leaves open.
pub(crate) fn wanted(request: &CreateJob) -> Result<Method, Fault> {
    let kind = request.method.as_ref().map_or(MethodType::Supervised, |method| method.kind.clone());
    let (place, given) = place(request, &kind)?;
    let given = given.cloned().unwrap_or_default();
    if let Some(name) = given.extra.keys().next() {
        return Err(Fault::unsupported(format!("{place}.{name}"), "is not known to this server"));
    }
    let supervised = kind == MethodType::Supervised;
    if supervised && given.beta.is_some() {
        return Err(Fault::unsupported(format!("{place}.beta"), "is of the method 'dpo' alone"));
    }
    let beta = number((&place, "beta"), given.beta.as_ref(), MOST_BETA)?;
    let rate = (place.as_str(), "learning_rate_multiplier");
    let chosen = Hyperparameters {
        n_epochs: whole((&place, "n_epochs"), given.n_epochs.as_ref(), 50)?,
        batch_size: whole((&place, "batch_size"), given.batch_size.as_ref(), 256)?,
        learning_rate_multiplier: number(rate, given.learning_rate_multiplier.as_ref(), f64::MAX)?,
        ..Hyperparameters::default()
    };
    if supervised {
        return Ok(Method::supervised(chosen));
    }
    Ok(Method::dpo(Hyperparameters { beta, ..chosen }))
}

fn whole(
    (place, name): (&str, &str),
    value: Option<&Auto<i64>>,
    most: i64,
) -> Result<Option<Auto<i64>>, Fault> {
    match value {
        None | Some(Auto::Auto) => Ok(Some(Auto::Auto)),
        Some(Auto::Value(value)) if (1..=most).contains(value) => Ok(Some(Auto::Value(*value))),
        Some(_) => {
            let message = format!("'{name}' must be \"auto\" or a whole number from 1 to {most}");
            Err(Fault::invalid_value(format!("{place}.{name}"), message))
        }
    }
}

fn number(
    (place, name): (&str, &str),
    value: Option<&Auto<f64>>,
    most: f64,
) -> Result<Option<Auto<f64>>, Fault> {
    match value {
        None | Some(Auto::Auto) => Ok(Some(Auto::Auto)),
        Some(Auto::Value(value)) if *value > 0.0 && *value <= most => Ok(Some(Auto::Value(*value))),
        Some(_) => {
            let bound = if most < f64::MAX { format!(" and up to {most}") } else { String::new() };
            let message = format!("'{name}' must be \"auto\" or a number above 0{bound}");
            Err(Fault::invalid_value(format!("{place}.{name}"), message))
        }
    }
}

/// Where the request has its hyperparameters: `method`, or their place before `method` came.
fn place<'a>(
    request: &'a CreateJob,
    kind: &MethodType,
) -> Result<(String, Option<&'a Hyperparameters>), Fault> {
    const OLD: &str = "hyperparameters";
    let old = request.hyperparameters.as_ref();
    let Some(method) = &request.method else { return Ok((OLD.to_owned(), old)) };
    let other = match kind {
        MethodType::Supervised => method.dpo.as_ref().map(|_| "dpo"),
        MethodType::Dpo => method.supervised.as_ref().map(|_| "supervised"),
        _ => {
            let reason = "has only the values 'supervised' and 'dpo' here";
            return Err(Fault::unsupported("method.type", reason));
        }
    };
    if let Some(other) = other {
        let message = format!("'method.{other}' does not belong to the type '{}'", kind.as_str());
        return Err(Fault::invalid_value(format!("method.{other}"), message));
    }
    let extra = method.settings().and_then(|settings| settings.extra.keys().next());
    if let Some(name) = method.extra.keys().next().or(extra) {
        return Err(Fault::unsupported(format!("method.{name}"), "is not known to this server"));
    }
    let place = format!("method.{}.hyperparameters", kind.as_str());
    match (method.hyperparameters(), old) {
        (Some(new), Some(old)) if new != old => {
            let message = format!("'hyperparameters' and '{place}' differ; give only one");
            Err(Fault::invalid_value(OLD, message))
        }
        (Some(new), _) => Ok((place, Some(new))),
        (None, old) => Ok((OLD.to_owned(), old)),
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
            Ok(method) => serde_json::to_string(method.hyperparameters().unwrap()).unwrap(),
            Err(fault) => fault.body()["error"]["param"].to_string(),
        }
    }

    #[test]
    fn both_places_are_understood_and_what_is_not_is_named() {
        let with = |rest: &str| check(&format!(r#"{{"model":"m","training_file":"f"{rest}}}"#));
        insta::assert_snapshot!(with(""), @r#"{"n_epochs":"auto","batch_size":"auto","learning_rate_multiplier":"auto"}"#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"n_epochs":2}"#), @r#"{"n_epochs":2,"batch_size":"auto","learning_rate_multiplier":"auto"}"#);
        insta::assert_snapshot!(with(r#","method":{"type":"supervised","supervised":{"hyperparameters":{"batch_size":8,"learning_rate_multiplier":0.5}}}"#), @r#"{"n_epochs":"auto","batch_size":8,"learning_rate_multiplier":0.5}"#);
        insta::assert_snapshot!(with(r#","method":{"type":"reinforcement"}"#), @r#""method.type""#);
        insta::assert_snapshot!(with(r#","method":{"type":"dpo","supervised":{}}"#), @r#""method.supervised""#);
        insta::assert_snapshot!(with(r#","method":{"type":"supervised","dpo":{}}"#), @r#""method.dpo""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"n_epochs":51}"#), @r#""hyperparameters.n_epochs""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"batch_size":"many"}"#), @r#""hyperparameters.batch_size""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"learning_rate_multiplier":0}"#), @r#""hyperparameters.learning_rate_multiplier""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"lora_r":8}"#), @r#""hyperparameters.lora_r""#);
        insta::assert_snapshot!(with(r#","hyperparameters":{"n_epochs":1},"method":{"type":"supervised","supervised":{"hyperparameters":{"n_epochs":2}}}"#), @r#""hyperparameters""#);
    }

    #[test]
    fn beta_belongs_to_preferences() {
        let dpo = |given: &str| {
            let method = format!(r#"{{"type":"dpo","dpo":{{"hyperparameters":{given}}}}}"#);
            check(&format!(r#"{{"model":"m","training_file":"f","method":{method}}}"#))
        };
        insta::assert_snapshot!(dpo("{}"), @r#"{"n_epochs":"auto","batch_size":"auto","learning_rate_multiplier":"auto","beta":"auto"}"#);
        insta::assert_snapshot!(dpo(r#"{"beta":0.5,"n_epochs":1}"#), @r#"{"n_epochs":1,"batch_size":"auto","learning_rate_multiplier":"auto","beta":0.5}"#);
        for bad in ["0", "2.5", "-1", "\"strong\""] {
            let found = dpo(&format!(r#"{{"beta":{bad}}}"#));
            assert_eq!(found, r#""method.dpo.hyperparameters.beta""#, "{bad}");
        }
        let supervised = r#"{"model":"m","training_file":"f","hyperparameters":{"beta":0.1}}"#;
        assert_eq!(check(supervised), r#""hyperparameters.beta""#);
    }

    #[test]
    fn a_plan_fills_what_is_left_open() {
        let mut job = Job::new("ftjob-1".parse().unwrap(), "m", 0);
        let plan = Plan { epochs: 3, batch_size: 4, learning_rate_multiplier: 1.0, beta: None };
        assert_eq!(Plan::new(&job, 54), plan);
        job.method = Some(Method::dpo(Hyperparameters::default()));
        let plan = Plan { beta: Some(0.1), ..plan };
        assert_eq!(Plan::new(&job, 54), plan);
        job.method = Some(plan.method());
        assert_eq!(Plan::new(&job, 1), plan);
    }
}
