/** `Web vital`: how fast a page loads, answers and keeps still, measured by the library web-vitals. */
/*! Contains web-vitals, Copyright Google LLC, Apache License 2.0, https://github.com/GoogleChrome/web-vitals */
import { type Metric, onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";
import type { Plugin } from "../plugin";

/** Units: value is milliseconds, but for CLS, which has none; rounded to three digits behind the point. */
const vitals: Plugin = (tracker) => {
  const tell = ({ name, value, rating, navigationType }: Metric): unknown =>
    tracker.track("Web vital", {
      metric: name,
      value: Math.round(value * 1000) / 1000,
      rating,
      navigation: navigationType,
    });
  [onCLS, onFCP, onINP, onLCP, onTTFB].forEach((watch) => watch(tell));
};

export default vitals;
