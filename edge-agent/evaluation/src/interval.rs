//! How sure a rate is: intervals for shares and for counts over a time.

use serde::Serialize;

/// The normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;
/// What each side leaves out.
const TAIL: f64 = 0.025;

/// A rate and its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// As observed.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Rate {
    /// `hits` of `trials`, with Wilson's score interval (Wilson 1927); `None` without trials.
    #[must_use]
    pub fn share(hits: u64, trials: u64) -> Option<Self> {
        if trials == 0 || hits > trials {
            return None;
        }
        let n = trials as f64;
        let p = hits as f64 / n;
        let z2 = Z * Z;
        let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        // At none and at all the ends are exact; rounding would move them.
        let low = if hits == 0 { 0.0 } else { (middle - half).max(0.0) };
        let high = if hits == trials { 1.0 } else { (middle + half).min(1.0) };
        Some(Self { value: p, low, high })
    }

    /// `count` events over an exposure, a rate per unit of it, with the exact Poisson interval (Garwood 1936); `None`
    /// unless the exposure is finite and positive.
    #[must_use]
    pub fn per(count: u64, exposure: f64) -> Option<Self> {
        if !(exposure.is_finite() && exposure > 0.0) {
            return None;
        }
        let (low, high) = garwood(count);
        Some(Self { value: count as f64 / exposure, low: low / exposure, high: high / exposure })
    }
}

/// The means between which a Poisson count is no surprise: at the lower one it is reached, at the upper one not
/// exceeded, with a probability of 2.5 %.
fn garwood(count: u64) -> (f64, f64) {
    let n = count as f64;
    let far = n + 10.0 * (n + 1.0).sqrt() + 10.0;
    let low = if count == 0 { 0.0 } else { bisect(0.0, n, |mean| at_least(count, mean) < TAIL) };
    // At most `count` means not at least one more.
    let high = bisect(n, far, |mean| at_least(count.saturating_add(1), mean) < 1.0 - TAIL);
    (low, high)
}

/// The place between `low` and `high` where `is_below` turns false.
fn bisect(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability that a Poisson variable of this mean is at least `count`.
fn at_least(count: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return if count == 0 { 1.0 } else { 0.0 };
    }
    let n = count as f64;
    if n < mean {
        // The shorter tail is summed: below.
        let (mut term, mut k, mut sum) = (ln_term(n - 1.0, mean).exp(), n - 1.0, 0.0);
        while k >= 0.0 && term > f64::MIN_POSITIVE {
            sum += term;
            term *= k / mean;
            k -= 1.0;
        }
        return (1.0 - sum).clamp(0.0, 1.0);
    }
    let (mut term, mut k, mut sum) = (ln_term(n, mean).exp(), n, 0.0);
    while term > sum * 1e-17 && term > f64::MIN_POSITIVE {
        sum += term;
        k += 1.0;
        term *= mean / k;
    }
    sum.clamp(0.0, 1.0)
}

/// The logarithm of the probability that a Poisson variable of this mean is `k`.
fn ln_term(k: f64, mean: f64) -> f64 {
    if k < 0.0 { f64::NEG_INFINITY } else { k * mean.ln() - mean - ln_factorial(k) }
}

/// `ln k!`: summed while short, then by Stirling's series.
fn ln_factorial(k: f64) -> f64 {
    if k < 32.0 {
        return (2..=k as u32).map(|i| f64::from(i).ln()).sum();
    }
    let (k2, half_ln_2pi) = (k * k, 0.918_938_533_204_672_8);
    (k + 0.5) * k.ln() - k + half_ln_2pi + (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * k2)) / k2) / k
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} is not {b}");
    }

    // scipy 1.17.1: chi2.ppf(0.025, 2 n) / 2 and chi2.ppf(0.975, 2 n + 2) / 2.
    #[test]
    fn garwood_agrees_with_the_quantiles_of_chi_squared() {
        for (count, low, high) in [
            (0, 0.0, 3.688_879_454_113_935),
            (1, 0.025_317_807_984_289_876, 5.571_643_390_938_898),
            (4, 1.089_865_373_626_325, 10.241_588_675_403_694),
            (10, 4.795_388_696_132_434, 18.390_356_042_017_78),
            (100, 81.363_991_250_923_14, 121.626_793_792_426_38),
            (1000, 938.973_018_407_695_2, 1_063.952_136_016_302),
            (20_000, 19_723.767_600_607_054, 20_279.133_627_926_407),
        ] {
            let rate = Rate::per(count, 1.0).expect("an exposure");
            close(rate.low, low);
            close(rate.high, high);
        }
    }

    // scipy 1.17.1: binomtest(hits, trials).proportion_ci(method="wilson").
    #[test]
    fn wilson_agrees_with_scipy() {
        for (hits, trials, low, high) in [
            (0, 10, 0.0, 0.277_532_799_862_889_26),
            (8, 10, 0.490_162_471_536_641_8, 0.943_317_848_545_624_7),
            (10, 10, 0.722_467_200_137_110_9, 1.0),
            (95, 100, 0.888_249_530_768_080_9, 0.978_456_320_845_632),
            (1, 3, 0.061_491_944_720_396_26, 0.792_340_399_197_952_3),
        ] {
            let rate = Rate::share(hits, trials).expect("trials");
            close(rate.low, low);
            close(rate.high, high);
        }
    }

    #[test]
    fn there_is_no_rate_without_a_denominator() {
        assert_eq!(Rate::share(0, 0), None);
        assert_eq!(Rate::share(2, 1), None);
        for exposure in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Rate::per(3, exposure), None);
        }
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_rate(hits in 0u64..5000, more in 0u64..5000, exposure in 0.001f64..1e6) {
            let rates = [Rate::share(hits, hits + more), Rate::per(hits, exposure)];
            for rate in rates.into_iter().flatten() {
                prop_assert!(rate.low <= rate.value && rate.value <= rate.high, "{rate:?}");
            }
        }

        #[test]
        fn more_of_the_same_narrows_the_interval(hits in 1u64..100, more in 1u64..100) {
            let width = |times: u64| {
                let rate = Rate::share(hits * times, (hits + more) * times).expect("trials");
                rate.high - rate.low
            };
            prop_assert!(width(4) < width(1));
        }
    }
}
