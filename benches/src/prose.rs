//! Generated medical prose, the same for the same seed.
//!
//! English: the sentences of real records, with one word in eight replaced by a made-up medical word, the common ones
//! often and the rare ones rarely. Without that a counter would meet the same few thousand words again and again, which
//! real data does not do either. Chinese: phrases of a small vocabulary in random order, with single characters between.

/// A generator of numbers (`SplitMix64`), written out so that the bytes never change with a dependency.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `end`, which is not zero.
    #[expect(clippy::cast_possible_truncation, reason = "it is below a usize")]
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// A number below `end`, of which the small ones are frequent: about as words are (Zipf's law).
    pub fn rank_below(&mut self, end: usize) -> usize {
        let uniform = self.below(1 << 30) as f64 / f64::from(1 << 30);
        let rank = (uniform * (end as f64).ln()).exp();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to end"
        )]
        (rank as usize - 1).min(end - 1)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const STARTS: [&str; 32] = [
    "cardio", "neuro", "gastro", "hepato", "nephro", "osteo", "hemato", "pneumo", "dermato",
    "arthro", "myelo", "lympho", "thyro", "cranio", "retino", "vaso", "broncho", "cysto", "endo",
    "hyper", "hypo", "peri", "poly", "anti", "micro", "fibro", "angio", "chole", "entero",
    "spondylo", "thrombo", "immuno",
];
const MIDDLES: [&str; 24] = [
    "", "", "", "my", "vascul", "esophag", "intestin", "pulmon", "cephal", "gen", "lip", "cyt",
    "glyc", "card", "ven", "ren", "trop", "blast", "plast", "stat", "derm", "path", "sten", "tens",
];
const ENDS: [&str; 24] = [
    "itis", "osis", "opathy", "ectomy", "emia", "oma", "ology", "algia", "uria", "ism", "ic", "al",
    "ine", "ol", "mab", "statin", "oscopy", "ectasia", "otomy", "plasia", "genic", "trophic",
    "static", "lysis",
];
const HAN: [&str; 60] = [
    "患者",
    "出现",
    "症状",
    "诊断",
    "治疗",
    "高血压",
    "糖尿病",
    "心肌梗死",
    "肺炎",
    "咳嗽",
    "发热",
    "胸痛",
    "呼吸困难",
    "血常规",
    "白细胞",
    "升高",
    "降低",
    "考虑",
    "可能",
    "首先",
    "其次",
    "因此",
    "应当",
    "检查",
    "心电图",
    "超声",
    "提示",
    "左心室",
    "肥大",
    "病史",
    "十年",
    "三天前",
    "入院",
    "体格检查",
    "腹部",
    "压痛",
    "反跳痛",
    "阑尾炎",
    "手术",
    "抗生素",
    "药物",
    "剂量",
    "每日",
    "两次",
    "口服",
    "静脉注射",
    "并发症",
    "预后",
    "良好",
    "肝功能",
    "肾功能不全",
    "甲状腺",
    "免疫",
    "感染",
    "病毒",
    "细菌",
    "培养",
    "的",
    "是",
    "和",
];

/// Made-up medical words, of which the first are meant to be the frequent ones.
pub fn vocabulary(random: &mut Random) -> Vec<String> {
    (0..40_000)
        .map(|_| [random.pick(&STARTS), random.pick(&MIDDLES), random.pick(&ENDS)].concat())
        .collect()
}

/// Texts of about `size_bytes` together, made of the sentences of `records`.
pub fn english(records: &[String], size_bytes: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    let words = vocabulary(&mut random);
    let sentences: Vec<&str> =
        records.iter().flat_map(|record| record.split_inclusive(". ")).collect();
    texts(size_bytes, |text| {
        for _ in 0..4 + random.below(24) {
            for word in sentences[random.below(sentences.len())].split_inclusive(' ') {
                if random.below(8) == 0 && word.ends_with("s ") {
                    text.push_str(&words[random.rank_below(words.len())]);
                    text.push(' ');
                } else {
                    text.push_str(word);
                }
            }
        }
    })
}

/// Chinese texts of about `size_bytes` together.
pub fn chinese(size_bytes: usize, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    texts(size_bytes, |text| {
        for _ in 0..10 + random.below(40) {
            for _ in 0..3 + random.below(8) {
                text.push_str(HAN[random.rank_below(HAN.len())]);
                if random.below(3) == 0 {
                    let index = random.rank_below(3_000) * 7 % 3_000;
                    text.extend(('\u{4e00}'..='\u{9fff}').nth(index));
                }
            }
            text.push_str(["，", "。", "、", "；", "。\n", "：12.5%，"][random.below(6)]);
        }
    })
}

fn texts(size_bytes: usize, mut append: impl FnMut(&mut String)) -> Vec<String> {
    let (mut texts, mut size) = (Vec::new(), 0);
    while size < size_bytes {
        let mut text = String::new();
        append(&mut text);
        size += text.len();
        texts.push(text);
    }
    texts
}
