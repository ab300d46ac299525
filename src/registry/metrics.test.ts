import { expect, test } from "bun:test";
import { registryMetrics } from "./metrics.ts";

test("every request's duration is in all buckets from its own upwards, and they are in their order", () => {
	const metrics = registryMetrics();
	for (const seconds of [0.2, 0.001, 1000]) metrics.request("blob", "GET", 200, seconds);
	metrics.request("blob", "HEAD", 200, 0.03);
	const lines = metrics.render().split("\n");
	const labels = 'route="blob",method="GET"';
	const name = "gantry_registry_request_duration_seconds";
	const start = lines.indexOf(`# TYPE ${name} histogram`) + 1;
	expect(lines.slice(start, start + 12)).toEqual([
		...[0.005, 0.01, 0.05, 0.1].map((bound) => `${name}_bucket{${labels},le="${bound}"} 1`),
		...[0.5, 1, 5, 30, 120].map((bound) => `${name}_bucket{${labels},le="${bound}"} 2`),
		`${name}_bucket{${labels},le="+Inf"} 3`,
		`${name}_sum{${labels}} 1000.201`,
		`${name}_count{${labels}} 3`,
	]);
	expect(lines[start + 12]).toBe(`${name}_bucket{route="blob",method="HEAD",le="0.005"} 0`);
});

test("text in labels cannot end them", () => {
	const metrics = registryMetrics();
	metrics.add("gantry_registry_events_total", { action: 'a"b\\c\nd' });
	expect(metrics.render()).toContain('gantry_registry_events_total{action="a\\"b\\\\c\\nd"} 1\n');
});
