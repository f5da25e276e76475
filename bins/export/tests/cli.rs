//! What a user of `export-model` sees.

use std::path::Path;

use anyhow::Result;
use cli::{Environment, Exit, Terminal};
use engine::{LoadOptions, Model, TensorType, Weights};
use serde_json::Value;

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama");
const GGUF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama/model.gguf");
const ADAPTER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-training/adapter");

fn check(arguments: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(Into::into).collect();
    let environment = Environment::default();
    let exit = export::run(arguments, &environment, &mut Terminal::plain(&mut out, &mut err));
    let [out, err] = [out, err].map(|text| String::from_utf8_lossy(&text).into_owned());
    (exit, out, err)
}

/// Exports the golden adapter over `base`.
fn export(base: &str, output: &Path, arguments: &[&str]) -> (Exit, String, String) {
    let output = output.display().to_string();
    let given = ["--adapter", ADAPTER, "--base-model", base, "--output", &output];
    check(&[&given[..], arguments].concat())
}

#[test]
fn every_format_is_written_and_loads_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (base, name) in [(TINY, "folder"), (GGUF, "gguf")] {
        let to = |kind: &str| folder.path().join(format!("{name}-{kind}"));
        for (format, kind, file) in [
            ("safetensors", "bf16", "merged"),
            ("gguf", "q8_0", "merged.gguf"),
            ("gguf-lora", "f16", "adapter.gguf"),
        ] {
            let arguments = ["--format", format, "--type", kind, "--json"];
            let (exit, out, err) = export(base, &to(file), &arguments);
            assert_eq!(exit, Exit::Done, "{err}");
            let result: Value = serde_json::from_str(&out)?;
            assert_eq!((&result["version"], &result["format"]), (&1.into(), &format.into()));
            assert_eq!(result["type"], kind);
            assert!(result["bytes"].as_u64() > Some(10_000), "{out}");
        }
        let merged = Weights::open(&to("merged"))?;
        assert_eq!(merged.kind("model.norm.weight"), Some(TensorType::Bf16));
        for merged in ["merged", "merged.gguf"] {
            Model::load(&to(merged), &LoadOptions::default())?;
        }
    }
    Ok(())
}

#[test]
fn a_peft_folder_names_its_base_and_tells_how_it_is_used() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("peft");
    let (exit, out, err) = export(TINY, &output, &["--format", "peft", "--base-name", "me/tiny"]);
    assert_eq!((exit, out), (Exit::Done, format!("{}\n", output.display())));
    let err = err.replace(&output.display().to_string(), "OUTPUT");
    insta::assert_snapshot!(err, @r#"
    use it: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("me/tiny"), "OUTPUT"), or
         vllm serve me/tiny --enable-lora --lora-modules tuned=OUTPUT
    For research only: not for diagnosis, treatment or any other clinical use.
    "#);
    let config: Value =
        serde_json::from_slice(&std::fs::read(output.join("adapter_config.json"))?)?;
    assert_eq!(config["base_model_name_or_path"], "me/tiny");
    let read = |folder: &Path| std::fs::read(folder.join("adapter_model.safetensors"));
    let (found, golden) = (read(&output)?, read(Path::new(ADAPTER))?);
    // The numbers are those of the golden adapter; PEFT writes another head.
    assert!(found[found.len() - 30_000..] == golden[golden.len() - 30_000..]);
    Ok(())
}

#[test]
fn nothing_is_replaced_unasked_and_no_folder_of_the_users_ever() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hide = |err: String| err.replace(&folder.path().display().to_string(), "DIR");
    let output = folder.path().join("out");
    let peft = ["--format", "peft"];
    assert_eq!(export(TINY, &output, &peft).0, Exit::Done);
    let (exit, _, err) = export(TINY, &output, &peft);
    assert_eq!(exit, Exit::Usage);
    insta::assert_snapshot!(hide(err), @r"
    error: DIR/out is there already
    hint: --overwrite replaces it
    ");
    assert_eq!(export(TINY, &output, &["--format", "peft", "--overwrite"]).0, Exit::Done);
    std::fs::create_dir(output.join("mine"))?;
    let (exit, _, err) = export(TINY, &output, &["--format", "safetensors", "--overwrite"]);
    assert_eq!(exit, Exit::Usage);
    insta::assert_snapshot!(hide(err), @"error: DIR/out is no folder that an export wrote, so it is not replaced");
    let (exit, _, err) = export(TINY, &output, &["--format", "gguf", "--overwrite"]);
    assert_eq!(exit, Exit::Usage);
    insta::assert_snapshot!(hide(err), @"error: DIR/out is no file, so it is not replaced");
    let (exit, _, err) = export(TINY, &folder.path().join("a/b"), &peft);
    assert_eq!(exit, Exit::Usage);
    insta::assert_snapshot!(hide(err), @"error: the folder of `--output DIR/a/b` is not there");
    Ok(())
}

#[test]
fn wrong_use_and_bad_data_have_their_own_exit_codes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("out");
    let (exit, _, err) = export(TINY, &output, &["--format", "safetensors", "--type", "q8_0"]);
    assert_eq!(exit, Exit::Usage);
    insta::assert_snapshot!(err, @r"
    error: `--type q8_0` cannot be for `--format safetensors`
    hint: possible are: bf16, f16, f32
    ");
    let arguments = ["--format", "peft", "--output", "out", "--adapter", ADAPTER];
    assert_eq!(check(&arguments).0, Exit::Usage, "an adapter needs its base model");
    let missing = folder.path().join("missing.json").display().to_string();
    let output = output.display().to_string();
    let arguments = ["--format", "peft", "--output", &output, "--model-file", &missing];
    let (exit, _, err) = check(&arguments);
    assert_eq!(exit, Exit::BadData);
    insta::assert_snapshot!(err.replace(&missing, "FILE"), @r"
    error: there is no saved model FILE
    hint: name a tuned model, or give --adapter and --base-model
    ");
    let nowhere = folder.path().join("nowhere").display().to_string();
    let (exit, _, err) = check(&[&arguments[..], &["ft:x", "--data-dir", &nowhere]].concat());
    assert_eq!(exit, Exit::BadData);
    insta::assert_snapshot!(err.replace(&nowhere, "DIR"), @r"
    error: no tuned model `ft:x` in DIR
    hint: there is none; --data-dir names another folder, and a service's models cannot be exported
    ");
    let empty = folder.path().display().to_string();
    let arguments = ["--format", "peft", "--output", &output, "--base-model", TINY];
    let (exit, _, err) = check(&[&arguments[..], &["--adapter", &empty]].concat());
    assert_eq!(exit, Exit::BadData);
    assert!(err.contains("adapter_config.json"), "{err}");
    Ok(())
}
