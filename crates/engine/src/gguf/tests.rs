use proptest::prelude::*;

use super::*;

/// Writes the head of a GGUF file, so that each test can spoil one thing.
struct Head(Vec<u8>);

impl Head {
    fn new(tensors: u64, entries: u64) -> Self {
        let mut head = Self(b"GGUF".to_vec());
        head.u32(3).u64(tensors).u64(entries);
        head
    }
    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn text(&mut self, text: &str) -> &mut Self {
        self.u64(text.len() as u64).0.extend(text.as_bytes());
        self
    }
    fn tensor(&mut self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> &mut Self {
        self.text(name).u32(u32::try_from(dimensions.len()).unwrap());
        for dimension in dimensions {
            self.u64(*dimension);
        }
        self.u32(kind).u64(offset)
    }
    fn data(&mut self, count: usize) -> &mut Self {
        let padded = self.0.len().next_multiple_of(32) + count;
        self.0.resize(padded, 0);
        self
    }
    fn fault(&self) -> GgufError {
        Gguf::parse(&self.0).expect_err("the head is spoilt")
    }
}

#[test]
fn a_sound_file_is_read() -> anyhow::Result<()> {
    let mut head = Head::new(1, 3);
    head.text("general.architecture").u32(8).text("llama");
    head.text("llama.block_count").u32(4).u32(30);
    head.text("ids").u32(9).u32(5).u64(2).u32(7).u32(u32::MAX);
    head.tensor("token_embd.weight", &[32, 2], 8, 0).data(68);
    let gguf = Gguf::parse(&head.0)?;
    assert_eq!(gguf.text("general.architecture"), Some("llama"));
    assert_eq!(gguf.count("llama.block_count"), Some(30));
    assert_eq!(gguf.integers("ids"), Some(&[7, -1][..]));
    let place = &gguf.tensors()["token_embd.weight"];
    assert_eq!((place.kind, place.shape.as_slice()), (TensorType::Q8_0, &[2, 32][..]));
    assert_eq!(place.range, head.0.len() - 68..head.0.len());
    Ok(())
}

#[test]
fn each_fault_of_the_head_has_its_own_error() {
    assert_eq!(Gguf::parse(b"GGML"), Err(GgufError::NotGguf));
    assert_eq!(Gguf::parse(b"GGUF\x01\0\0\0"), Err(GgufError::Version(1)));
    assert_eq!(Gguf::parse(b"GGUF\x03\0"), Err(GgufError::Truncated("the version")));
    let what = "the number of tensors";
    assert_eq!(Head::new(u64::MAX, 0).fault(), GgufError::TooMany { what, count: u64::MAX });
    let long_key = Head::new(0, 1).u64(1 << 40).u64(0).fault();
    assert_eq!(long_key, GgufError::TooMany { what: "a metadata key", count: 1 << 40 });
    let unknown = Head::new(0, 1).text("k").u32(99).u32(0).fault();
    assert_eq!(unknown, GgufError::ValueType { key: "k".to_owned(), kind: 99 });
    let nested = Head::new(0, 1).text("k").u32(9).u32(9).u64(1).fault();
    assert_eq!(nested, GgufError::NestedArray("k".to_owned()));
    let array = Head::new(0, 1).text("k").u32(9).u32(0).u64(1 << 60).fault();
    assert_eq!(
        array,
        GgufError::TooMany { what: "the length of a metadata array", count: 1 << 60 }
    );
    let twice = Head::new(0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(1).fault();
    assert_eq!(twice, GgufError::Duplicate("k".to_owned()));
    let alignment = Head::new(0, 1).text("general.alignment").u32(4).u32(12).fault();
    assert_eq!(alignment, GgufError::Alignment(12));
    let mut text = Head::new(0, 1);
    text.u64(2).0.extend([0xff, 0xfe]);
    assert_eq!(text.u64(0).fault(), GgufError::Text("a metadata key"));
}

#[test]
fn each_fault_of_a_tensor_has_its_own_error() {
    let name = || "t".to_owned();
    let fault = |dimensions: &[u64], kind, offset| {
        Head::new(1, 0).tensor("t", dimensions, kind, offset).data(64).fault()
    };
    assert_eq!(
        fault(&[1, 1, 1, 1, 1], 0, 0),
        GgufError::Dimensions { name: name(), dimensions: 5 }
    );
    assert_eq!(fault(&[0], 0, 0), GgufError::Shape(name()));
    assert_eq!(fault(&[31, 32], 3, 0), GgufError::Shape(name()));
    assert_eq!(fault(&[1 << 33, 1 << 33], 0, 0), GgufError::Shape(name()));
    assert_eq!(fault(&[1 << 62], 0, 0), GgufError::Shape(name()));
    assert_eq!(fault(&[8], 7, 0), GgufError::TensorType { name: name(), kind: 7 });
    assert_eq!(fault(&[8], 0, 8), GgufError::Unaligned(name()));
    assert_eq!(fault(&[17], 0, 0), GgufError::BeyondEnd(name()));
    assert_eq!(fault(&[8], 0, 64), GgufError::BeyondEnd(name()));
    assert_eq!(fault(&[8], 0, u64::MAX - 31), GgufError::BeyondEnd(name()));
    let twice = Head::new(2, 0).tensor("t", &[8], 0, 0).tensor("t", &[8], 0, 32).data(64).fault();
    assert_eq!(twice, GgufError::Duplicate(name()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Gguf::parse(&[b"GGUF\x03\0\0\0".as_slice(), &bytes].concat());
    }

    #[test]
    fn no_spoilt_byte_of_a_sound_file_makes_it_panic(at in 0_usize..3000, byte in any::<u8>(), cut in 0_usize..4) {
        let mut bytes = include_bytes!("../../../../tests/golden/tiny-llama/model.gguf").to_vec();
        bytes[at] = byte;
        bytes.truncate(if cut == 0 { at } else { bytes.len() });
        if let Ok(gguf) = Gguf::parse(&bytes) {
            prop_assert!(gguf.tensors().values().all(|place| place.range.end <= bytes.len()));
        }
    }
}
