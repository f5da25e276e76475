//! The tokens of examples, each text counted once.

use dataset::{Example, Record};
use template::Template;
use tokens::Encoding;

use crate::counter::Counter;
use crate::tally::ExampleTokens;

/// Counts the examples of one template and system prompt.
pub(crate) struct Meter<'a> {
    pub(crate) counter: &'a Counter,
    template: &'a Template,
    /// The tokens of an example beside question and answer, where a chat's texts count one by one.
    frame: Option<(Encoding, usize)>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(counter: &'a Counter, template: &'a Template, system_prompt: &str) -> Self {
        let frame = counter.service().map(|(encoding, constants)| {
            let system = (!system_prompt.is_empty()).then_some(("system", system_prompt));
            let turns = system.into_iter().chain([("user", ""), ("assistant", "")]);
            (encoding, constants.count(&encoding, turns).total)
        });
        Self { counter, template, frame }
    }

    /// The tokens of `example`, which is made of `record`.
    pub(crate) fn example(
        &self,
        record: &Record,
        example: &Example,
    ) -> anyhow::Result<ExampleTokens> {
        let (halves, answer) = (self.template.halves(&record.parts()), example.messages.last());
        if let (Some((encoding, frame)), Some(halves), Some(answer)) = (self.frame, halves, answer)
        {
            let question = encoding.count(&record.question);
            let (answer, [reasoning, response]) =
                encoding.count_with_parts(&answer.content, halves);
            let total = frame + question + answer;
            return Ok(ExampleTokens::new([question, reasoning, response, total]));
        }
        let texts = [&record.question, &record.reasoning, &record.response];
        let [question, reasoning, response] = texts.map(|text| self.counter.text(text));
        let total = self.counter.chat(example)?;
        Ok(ExampleTokens::new([question, reasoning, response, total]))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use dataset::Place;

    #[test]
    fn each_text_counted_once_gives_what_counting_all_texts_gives() -> anyhow::Result<()> {
        let texts = ["Why a fever?", "\nIt's an infection.\n", "'s \u{301}rest, 38.5 °C"];
        let [question, reasoning, response] = texts.map(str::to_owned);
        let record = Record { place: Place::default(), question, reasoning, response };
        for model in ["gpt-4.1", "gpt-3.5-turbo-0301", "nobody's"] {
            let counter = Counter::for_model(model, Path::new("unused"))?;
            for (template, system) in
                Template::NAMED.iter().flat_map(|named| [(named, ""), (named, "Be brief.")])
            {
                let example = Example::new(&record, template, system)?;
                let tokens = Meter::new(&counter, template, system).example(&record, &example)?;
                let texts = [&record.question, &record.reasoning, &record.response];
                let [question, reasoning, response] = texts.map(|text| counter.text(text));
                let total = counter.chat(&example)?;
                let each = ExampleTokens::new([question, reasoning, response, total]);
                assert_eq!(tokens, each, "{model} {template} {system}");
            }
        }
        Ok(())
    }
}
