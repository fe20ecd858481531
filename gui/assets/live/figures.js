// What the last seconds were like.

const WINDOW_MS = 5000;

export function quantile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at % 1);
}

export class Figures {
  constructor() {
    this.masks = []; // {at, latency, timings}, by performance.now() in milliseconds
  }

  add(mask) {
    this.masks.push(mask);
  }

  clear() {
    this.masks = [];
  }

  // null where there is nothing to tell
  summary(now) {
    this.masks = this.masks.filter(({ at }) => at > now - WINDOW_MS);
    const { masks } = this;
    const latencies = masks.map(({ latency }) => latency);
    const span = masks.length > 1 ? masks.at(-1).at - masks[0].at : 0;
    const stages = Object.keys(masks.at(-1)?.timings ?? {});
    return {
      rate: span > 0 ? ((masks.length - 1) * 1000) / span : null,
      median: quantile(latencies, 0.5),
      p90: quantile(latencies, 0.9),
      timings: Object.fromEntries(stages.map((stage) => [stage, quantile(masks.map(({ timings }) => timings[stage]), 0.5)])),
    };
  }
}
