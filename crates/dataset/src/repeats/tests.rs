//! Equal and nearly equal records, planted and drawn.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::Place;
use crate::minhash::jaccard;
use crate::words::shingles;

const STEM: &str =
    "a 45 year old man comes to the clinic with three days of fever cough and pain on breathing in";

fn record(question: &str, response: &str) -> Record {
    Record {
        place: Place::default(),
        question: question.to_owned(),
        reasoning: "Because.".to_owned(),
        response: response.to_owned(),
    }
}

fn groups(questions: &[String]) -> Groups {
    let mut repeats = Repeats::new_in(Path::new("."));
    for (index, question) in questions.iter().enumerate() {
        assert_eq!(repeats.add(&record(question, &format!("answer {index}"))).unwrap(), None);
    }
    repeats.groups(0.6, |index| Ok(questions[index].clone())).unwrap()
}

#[test]
fn the_same_record_in_other_clothes_is_an_exact_repeat() {
    let mut repeats = Repeats::new_in(Path::new("."));
    let mut add = |question, response| repeats.add(&record(question, response)).unwrap();
    assert_eq!(add("Fever of 39 °C?", "Rest."), None);
    assert_eq!(add("fever  of 39°C", "REST"), Some(0));
    assert_eq!(add("Fever of 39 °C?", "Rest. Drink."), None);
    assert_eq!(add("Fever of 38 °C?", "Rest."), None);
    assert_eq!(add("Fever of 38 °C", "Rest"), Some(2));
}

#[test]
fn nearly_the_same_questions_form_a_group() {
    let questions = [
        STEM.to_owned(),
        "which nerve is hurt when the wrist drops after a fracture of the shaft of the humerus"
            .to_owned(),
        STEM.replace("three", "four"),
        format!("{STEM} today"),
        STEM.to_uppercase(),
    ];
    let groups = groups(&questions);
    assert_eq!(groups.first, [0, 1, 0, 0, 0]);
    assert_eq!(groups.pairs.len(), 3);
    assert!(groups.pairs.iter().all(|pair| pair.first < pair.second && pair.similarity >= 0.6));
    assert_eq!(groups.questions.row(0).unwrap(), groups.questions.row(4).unwrap());
}

#[test]
fn planted_near_repeats_are_found_and_nothing_else() {
    // Questions of 40 words; every tenth record repeats the one before it with two words changed.
    let word = |number: u64| format!("w{}", crate::words::mix(number) % 3000);
    let fresh =
        |number: u64| -> Vec<String> { (0..40).map(|at| word(number * 100 + at)).collect() };
    let mut questions: Vec<Vec<String>> = Vec::new();
    for number in 0..2000_u64 {
        let mut question = fresh(number);
        if number % 10 == 9 {
            question = questions.last().unwrap().clone();
            question[7] = "changed".to_owned();
            question[30] = "too".to_owned();
        }
        questions.push(question);
    }
    let questions: Vec<String> = questions.into_iter().map(|words| words.join(" ")).collect();
    let groups = groups(&questions);
    let joined = || (0_u32..).zip(&groups.first).filter(|(record, first)| record != *first);
    let wrong = joined().filter(|&(record, &first)| record % 10 != 9 || first != record - 1);
    assert_eq!(wrong.count(), 0);
    let found = joined().count();
    // 38 runs of three each, 6 of them changed: similarity 32 / 44 = 0.73, missed with probability 1e-5.
    assert!(found >= 199, "{found} of 200");
}

#[test]
fn many_equal_questions_stay_cheap() {
    let questions = vec![STEM.to_owned(); 3000];
    let mut asked = 0;
    let mut repeats = Repeats::new_in(Path::new("."));
    for index in 0..questions.len() {
        repeats.add(&record(STEM, &format!("answer {index}"))).unwrap();
    }
    let groups = repeats.groups(0.6, |index| {
        asked += 1;
        Ok(questions[index].clone())
    });
    assert!(groups.unwrap().first.iter().all(|&first| first == 0));
    assert!(asked < 2 * questions.len(), "{asked}");
}

/// The definition, all in memory: for each question the number of an earlier equal one or the first of its group, and
/// the pairs by which groups were joined.
fn plainly(questions: &[String], threshold: f64) -> (Vec<Option<usize>>, Vec<u32>, Vec<Pair>) {
    let mut contents: HashMap<u128, usize> = HashMap::new();
    let mut kept: Vec<(&String, Bands)> = Vec::new();
    let mut repeats = Vec::new();
    for question in questions {
        let likeness = Likeness::of(&Normal::of(&record(question, "r")));
        let next = kept.len();
        let first = *contents.entry(likeness.content).or_insert(next);
        repeats.push((first < next).then_some(first));
        if first == next {
            kept.push((question, likeness.bands));
        }
    }
    let mut first: Vec<usize> = (0..kept.len()).collect();
    let (mut pairs, mut unlike) = (Vec::new(), HashSet::new());
    for band in 0..BANDS {
        let mut order: Vec<(u32, usize)> = (0..).zip(&kept).map(|(n, k)| (k.1[band], n)).collect();
        order.sort_unstable();
        for run in order.chunk_by(|a, b| a.0 == b.0) {
            let mut known = vec![run[0].1];
            for &(_, record) in &run[1..] {
                let mut joined = false;
                for &other in &known {
                    let root = |record: usize| root(&first, record);
                    let (a, b) = (root(other), root(record));
                    let pair = [other, record].map(|one| shingles(&Words::of(kept[one].0)));
                    let similarity = jaccard(&pair[0], &pair[1]);
                    if a != b && !unlike.contains(&(other, record)) && similarity >= threshold {
                        first[a.max(b)] = a.min(b);
                        let [first, second] = [other, record].map(number);
                        pairs.push(Pair { first, second, similarity });
                    } else if a != b {
                        unlike.insert((other, record));
                        continue;
                    }
                    joined = true;
                }
                if !joined && known.len() < 8 {
                    known.push(record);
                }
            }
        }
    }
    pairs.sort_by_key(|pair| (pair.second, pair.first));
    let roots = (0..kept.len()).map(|record| number(root(&first, record))).collect();
    (repeats, roots, pairs)
}

fn number(record: usize) -> u32 {
    u32::try_from(record).unwrap()
}

fn root(first: &[usize], mut record: usize) -> usize {
    while first[record] != record {
        record = first[record];
    }
    record
}

proptest::proptest! {
    #[test]
    fn what_is_kept_on_disk_is_found_as_if_it_were_in_memory(
        questions in proptest::collection::vec("[a-d]( [a-d]){0,9}", 0..60),
        tail in 1usize..9,
        threshold in 0.1f64..1.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut repeats = Repeats {
            contents: Contents::new(Column::with_tail(folder.path(), tail)),
            bands: std::array::from_fn(|_| Column::with_tail(folder.path(), tail)),
            questions: Column::with_tail(folder.path(), tail),
        };
        let mut kept = Vec::new();
        let (equal, first, pairs) = plainly(&questions, threshold);
        for (question, equal) in questions.iter().zip(equal) {
            proptest::prop_assert_eq!(repeats.add(&record(question, "r")).unwrap(), equal);
            if equal.is_none() {
                kept.push(question.clone());
            }
        }
        let groups = repeats.groups(threshold, |number| Ok(kept[number].clone()));
        let groups = groups.unwrap();
        proptest::prop_assert_eq!(groups.first, first);
        proptest::prop_assert_eq!(groups.pairs, pairs);
        proptest::prop_assert_eq!(groups.questions.len(), kept.len());
    }
}
