use super::*;
use connect::Profiles;
use transport::{Endpoint, Provider, Settings};

fn target(url: &str) -> anyhow::Result<Target> {
    Ok(Target {
        profile: Profiles::bundled().named("openai", &[])?,
        overrides: Vec::new(),
        place: Place::Service(Box::new(Endpoint::new(Provider::OpenAi, url, None)?)),
        why: String::new(),
        settings: Settings::default(),
    })
}

fn caution(max_cost: Option<f64>, yes: bool) -> Caution {
    Caution {
        prices: PriceTable::bundled(),
        today: "2026-11-26".parse().unwrap(),
        max_cost,
        yes,
        allow_identifiers: false,
        allow_overlap: false,
    }
}

/// Whether it was agreed to, and what was printed.
type Asked = (Result<(), Exit>, String);

fn check(answer: &str, in_is_terminal: bool, caution: &Caution) -> anyhow::Result<Asked> {
    let target = target("https://service.invalid/v1")?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = &mut Terminal { in_is_terminal, ..Terminal::plain(&mut out, &mut err) };
    let estimate = ("about 5 USD", Some(5.0));
    let asked = consent((&target, "m"), caution, estimate, &mut answer.as_bytes(), terminal);
    Ok((asked.map_err(|failure| failure.exit()), String::from_utf8(err)?))
}

#[test]
fn a_price_table_that_is_absent_or_bad_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("p.toml");
    let exit = |path: &Path| table(Some(path)).map_err(|failure| failure.exit()).err();
    assert_eq!(exit(&path), Some(Exit::Usage));
    fs::write(&path, "version = 1\nas_of = \"soon\"\n")?;
    assert_eq!(exit(&path), Some(Exit::BadData));
    fs::write(&path, "version = 1\nas_of = \"2026-12-01\"\n")?;
    assert_eq!(exit(&path), None);
    assert_eq!(table(Some(&path)).map_err(|failure| failure.exit()).unwrap().models, []);
    Ok(())
}

#[test]
fn money_is_spent_only_with_a_yes() -> anyhow::Result<()> {
    for (answer, in_is_terminal, yes, agreed) in [
        ("y\n", true, false, true),
        ("YES\n", true, false, true),
        ("n\n", true, false, false),
        ("\n", true, false, false),
        ("", true, false, false),
        ("y\n", false, false, false),
        ("", false, true, true),
    ] {
        let (asked, text) = check(answer, in_is_terminal, &caution(None, yes))?;
        assert_eq!(asked.is_ok(), agreed, "{answer:?} {in_is_terminal} {yes}");
        assert!(agreed || asked == Err(Exit::Usage));
        assert!(text.contains("service.invalid") && text.contains("about 5 USD"));
        assert_eq!(text.contains("[y/N]"), in_is_terminal && !yes);
    }
    Ok(())
}

#[test]
fn more_than_the_most_is_not_even_asked_about() -> anyhow::Result<()> {
    assert_eq!(check("y\n", true, &caution(Some(4.0), true))?.0, Err(Exit::Usage));
    assert_eq!(check("", false, &caution(Some(5.0), true))?.0, Ok(()));
    let target = target("https://service.invalid/v1")?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = &mut Terminal::plain(&mut out, &mut err);
    let caution = caution(Some(4.0), true);
    let unknown = consent((&target, "m"), &caution, ("not known", None), &mut &b""[..], terminal);
    assert_eq!(unknown.map_err(|failure| failure.exit()), Err(Exit::Usage));
    Ok(())
}

#[test]
fn an_estimate_shows_its_arithmetic() {
    let plan =
        |epochs| Some(Planned { tokens: 1_000_000, epochs, usd: Some(5.0 * f64::from(epochs)) });
    let prices = PriceTable::bundled();
    let (text, usd) = estimate("gpt-4.1-mini", &[plan(1), plan(2)], &prices);
    assert_eq!(usd, Some(15.0));
    assert_eq!(
        text,
        "about 15.00 USD (1000000 tokens x 1 epoch x 5 USD per million + 1000000 tokens x 2 epochs x 5 USD per million); prices of 2026-11-22"
    );
    assert_eq!(
        estimate("m", &[None], &prices),
        ("what it costs is not known for m".to_owned(), None)
    );
}

#[test]
fn openais_own_dates_are_kept_to() -> anyhow::Result<()> {
    let openai = target("https://api.openai.com/v1")?;
    let said = |model: &str, today: &str| {
        let caution = Caution { today: today.parse().unwrap(), ..caution(None, false) };
        check_model(&openai, model, &caution).err().map(|failure| format!("{:#}", failure.error()))
    };
    assert_eq!(said("gpt-4.1-mini", "2026-11-26"), None);
    assert!(
        said("gpt-3.5-turbo", "2026-11-26")
            .is_some_and(|text| text.contains("was shut down on 2026-10-23"))
    );
    assert!(
        said("gpt-4.1-mini", "2027-01-06").is_some_and(|text| text.contains("since 2027-01-06"))
    );
    assert_eq!(said("unheard-of", "2026-11-26"), None);
    assert!(said("unheard-of", "2027-02-01").is_some());
    Ok(())
}
