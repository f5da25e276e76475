use proptest::prelude::*;

use super::*;

fn file(head: &str, data: usize) -> Vec<u8> {
    [&(head.len() as u64).to_le_bytes(), head.as_bytes(), &vec![0; data]].concat()
}

fn fault(head: &str, data: usize) -> String {
    parse(&file(head, data)).expect_err("the head is spoilt").to_string()
}

#[test]
fn a_sound_file_is_read() -> anyhow::Result<()> {
    let head = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
        "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let places = parse(&file(head, 16))?;
    let start = 8 + head.len();
    assert_eq!(
        places["a"],
        TensorPlace { kind: TensorType::F32, shape: vec![1], range: start..start + 4 }
    );
    assert_eq!(
        places["b"],
        TensorPlace { kind: TensorType::Bf16, shape: vec![2, 3], range: start + 4..start + 16 }
    );
    Ok(())
}

#[test]
fn each_fault_has_its_own_error() {
    assert!(matches!(parse(&[1, 2]), Err(SafetensorsError::Truncated)));
    assert!(matches!(parse(&100_u64.to_le_bytes()), Err(SafetensorsError::Truncated)));
    assert!(matches!(parse(&u64::MAX.to_le_bytes()), Err(SafetensorsError::HeadLength(u64::MAX))));
    assert!(matches!(parse(&file("[]", 0)), Err(SafetensorsError::Head(_))));
    assert!(matches!(parse(&file(r#"{"a":{"dtype":"F32"}}"#, 0)), Err(SafetensorsError::Head(_))));
    let one = |dtype: &str, shape: &str, offsets: &str, data| {
        fault(
            &format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#),
            data,
        )
    };
    insta::assert_snapshot!(one("I64", "[1]", "[0,8]", 8), @"tensor `a` has the type I64, which is not supported (F32, F16 and BF16 are)");
    insta::assert_snapshot!(one("F32", "[0]", "[0,0]", 0), @"tensor `a` has an impossible shape");
    insta::assert_snapshot!(one("F32", "[4294967296,4294967296]", "[0,4]", 4), @"tensor `a` has an impossible shape");
    insta::assert_snapshot!(one("F32", "[2]", "[0,4]", 4), @"tensor `a` has 4 bytes where its shape needs 8");
    insta::assert_snapshot!(one("F32", "[1]", "[4,0]", 4), @"the data of tensor `a` overlap others or leave a gap");
    insta::assert_snapshot!(one("F32", "[1]", "[4,8]", 8), @"the data of tensor `a` overlap others or leave a gap");
    insta::assert_snapshot!(one("F32", "[1]", "[18446744073709551615,3]", 4), @"the data of tensor `a` overlap others or leave a gap");
    insta::assert_snapshot!(one("F32", "[1]", "[0,4]", 2), @"the tensors end at byte 66 and the file at byte 64");
}

#[test]
fn a_head_nested_without_end_is_refused_and_not_descended_into() {
    for deep in ["[".repeat(1_000_000), "{\"a\":".repeat(200_000)] {
        let head = format!("{{\"a\":{deep}");
        assert!(matches!(parse(&file(&head, 0)), Err(SafetensorsError::Head(_))));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(head in ".{0,200}", data in 0_usize..40) {
        let _ = parse(&file(&head, data));
    }

    #[test]
    fn no_spoilt_byte_of_a_sound_file_makes_it_panic(at in 0_usize..2500, byte in any::<u8>()) {
        let mut bytes = include_bytes!("../../../../tests/golden/tiny-llama/model.safetensors").to_vec();
        bytes[at] = byte;
        if let Ok(places) = parse(&bytes) {
            prop_assert!(places.values().all(|place| place.range.end <= bytes.len()));
        }
    }
}
