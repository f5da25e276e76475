//! Lists that come in pages.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use transport::{Client, Error, Route};
use wire::Page;

/// Keeps a service that never ends a list from being asked for ever.
const MOST_PAGES: usize = 1000;

/// Every item of the list at `route`, in the service's order, each once by its id.
pub(crate) async fn all<T: DeserializeOwned>(
    client: &Client,
    route: &Route,
    limit: usize,
    id: impl Fn(&T) -> String,
) -> Result<Vec<T>, Error> {
    until(client, route, limit, id, |_| false).await
}

/// The items of the list at `route` up to the first page for which `enough` holds, that page included.
pub(crate) async fn until<T: DeserializeOwned>(
    client: &Client,
    route: &Route,
    limit: usize,
    id: impl Fn(&T) -> String,
    mut enough: impl FnMut(&[T]) -> bool,
) -> Result<Vec<T>, Error> {
    let (mut items, mut seen, mut after) = (Vec::new(), HashSet::new(), None::<String>);
    for _ in 0..MOST_PAGES {
        let mut page_route = route.clone().with("limit", &limit.to_string());
        if let Some(after) = &after {
            page_route = page_route.with("after", after);
        }
        let page: Page<T> = client.get(&page_route).await?;
        let last = page.data.last().map(&id);
        let stop = page.has_more == Some(false) || last.is_none() || enough(&page.data);
        let before = items.len();
        items.extend(page.data.into_iter().filter(|item| seen.insert(id(item))));
        // A service that knows no cursor gives the same page again and again: nothing new is the end too.
        if stop || items.len() == before {
            break;
        }
        after = last;
    }
    Ok(items)
}
