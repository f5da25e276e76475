use std::collections::HashSet;

use wire::Event;

/// What was told of a job so far: every event once.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    seen: HashSet<String>,
}

impl Chronicle {
    /// With the events of these ids told before.
    pub(crate) fn of(told: Vec<String>) -> Self {
        Self { seen: told.into_iter().collect() }
    }

    pub(crate) fn knows(&self, event: &Event) -> bool {
        self.seen.contains(&event.id)
    }

    /// The events of `listed` that are new, oldest first, whichever way the service lists them.
    pub(crate) fn news(&mut self, listed: Vec<Event>) -> Vec<Event> {
        let newest_first = match (listed.first(), listed.last()) {
            (Some(first), Some(last)) => first.created_at >= last.created_at,
            _ => true,
        };
        let mut news: Vec<Event> =
            listed.into_iter().filter(|event| self.seen.insert(event.id.clone())).collect();
        if newest_first {
            news.reverse();
        }
        news.sort_by_key(|event| event.created_at);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(id: usize, created_at: i64) -> Event {
        Event::message(id.to_string(), created_at, wire::EventLevel::Info, "")
    }

    #[test]
    fn events_of_one_second_keep_the_order_in_which_they_happened() {
        let listed = vec![event(3, 11), event(2, 10), event(1, 10), event(0, 10)];
        let mut chronicle = Chronicle::default();
        let ids: Vec<_> =
            chronicle.news(listed.clone()).into_iter().map(|event| event.id).collect();
        assert_eq!(ids, ["0", "1", "2", "3"]);
        assert!(chronicle.news(listed).is_empty());
        let oldest_first = vec![event(4, 12), event(5, 12), event(6, 13)];
        let ids: Vec<_> = chronicle.news(oldest_first).into_iter().map(|event| event.id).collect();
        assert_eq!(ids, ["4", "5", "6"]);
    }

    proptest! {
        #[test]
        fn however_the_lists_overlap_every_event_is_told_once_and_in_order(
            times in proptest::collection::vec(0_i64..5, 1..40), cuts in proptest::collection::vec(1_usize..40, 1..6),
        ) {
            let mut at = 0;
            let all: Vec<Event> = times.iter().enumerate().map(|(id, step)| { at += step; event(id, at) }).collect();
            let mut chronicle = Chronicle::default();
            let mut told = Vec::new();
            let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).collect();
            ends.sort_unstable();
            ends.push(all.len());
            for end in ends {
                told.extend(chronicle.news(all[..end].iter().rev().cloned().collect()));
            }
            prop_assert_eq!(told, all);
        }
    }
}
