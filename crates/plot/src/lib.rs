//! Charts as SVG text, for pages that need nothing else.
//!
//! A [`Histogram`], a [`LineChart`] or an [`IntervalChart`] becomes one `<svg>` element that stands in a page or in a
//! file of its own. It has no script and loads nothing; the same values give the same bytes. Its [`Captions`] are also
//! its text alternative, every mark tells its value when pointed at, and series differ by dashes as well as by colour.
//! Colours follow the reader's light or dark setting; a page that has its own theme sets the CSS variables
//! `--plot-paper`, `--plot-ink`, `--plot-faint` and `--plot-1` to `--plot-4`.
//!
//! ```
//! use plot::{Bins, Captions, Histogram};
//!
//! let tokens = [120, 340, 355, 360, 410, 980];
//! let chart = Histogram {
//!     captions: Captions { title: "Tokens of an example", description: "Six examples.", x: "tokens", y: "examples" },
//!     bins: Bins::of(&tokens),
//!     markers: &[],
//! };
//! assert!(chart.svg().starts_with("<svg "));
//! ```

mod text;
mod scale;
mod chart;
mod bins;
mod histogram;
mod lines;
mod intervals;

pub use crate::bins::Bins;
pub use crate::chart::{Captions, Marker};
pub use crate::histogram::Histogram;
pub use crate::intervals::{Interval, IntervalChart};
pub use crate::lines::{LineChart, Series};
