// Round numbers along an axis.

/** About `wanted` round numbers that reach from `low` or less to `high` or more. */
export function ticks(low, high, wanted) {
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  // From whole numbers, so that 0.30000000000000004 does not come up.
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
