//! Any text as a user's price table and as a user's template.

#![no_main]

use template::{Jinja, Parts, Template};
use tokens::PriceTable;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(table) = PriceTable::from_toml(text) {
        let _ = table.model("gpt-4.1");
    }
    if let Ok(jinja) = Jinja::new(text) {
        let parts = Parts { question: "q", reasoning: "c", response: "r" };
        let _ = Template::Jinja(jinja).render(&parts);
    }
});
