/** Counters in the text format of Prometheus. */
type Labels = Readonly<Record<string, string | number>>;

interface Family {
	readonly help: string;
	readonly type: "counter" | "gauge";
	readonly samples: Map<string, number>;
}

interface Durations {
	/** Of the bucket with the same position; each counts what the ones before it count. */
	readonly counts: number[];
	count: number;
	sumSeconds: number;
}

const DURATIONS = "gantry_registry_request_duration_seconds";
const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120] as const;

export class Metrics {
	readonly #families = new Map<string, Family>();
	readonly #durations = new Map<string, Durations>();
	readonly #gauges: (() => void)[] = [];

	describe(name: string, type: Family["type"], help: string): void {
		this.#families.set(name, { help, type, samples: new Map() });
	}

	add(name: string, labels: Labels = {}, value = 1): void {
		const samples = this.#families.get(name)?.samples;
		const key = labelText(labels);
		samples?.set(key, (samples.get(key) ?? 0) + value);
	}

	set(name: string, labels: Labels, value: number): void {
		this.#families.get(name)?.samples.set(labelText(labels), value);
	}

	/** Called before each rendering, to `set` what is looked up rather than counted. */
	onRender(update: () => void): void {
		this.#gauges.push(update);
	}

	/** One finished request. */
	request(route: string, method: string, status: number, seconds: number): void {
		this.add("gantry_registry_requests_total", { route, method, status });
		const key = labelText({ route, method });
		const durations = this.#durations.get(key) ?? {
			counts: DURATION_BUCKETS_SECONDS.map(() => 0),
			count: 0,
			sumSeconds: 0,
		};
		this.#durations.set(key, durations);
		for (const [position, bound] of DURATION_BUCKETS_SECONDS.entries())
			if (seconds <= bound) durations.counts[position] = (durations.counts[position] ?? 0) + 1;
		durations.count++;
		durations.sumSeconds += seconds;
	}

	render(): string {
		for (const update of this.#gauges) update();
		const lines: string[] = [];
		for (const [name, family] of this.#families) {
			lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`);
			for (const [key, value] of family.samples) lines.push(`${name}${key} ${value}`);
		}
		return `${[...lines, ...this.#renderDurations()].join("\n")}\n`;
	}

	/** All buckets, in their order: readers work with differences of neighbours. */
	#renderDurations(): string[] {
		const lines = [`# HELP ${DURATIONS} Time until the answer's head was ready.`, `# TYPE ${DURATIONS} histogram`];
		for (const [key, { counts, count, sumSeconds }] of this.#durations) {
			const bucket = (bound: number | string) => `${DURATIONS}_bucket${key.slice(0, -1)},le="${bound}"}`;
			for (const [position, bound] of DURATION_BUCKETS_SECONDS.entries())
				lines.push(`${bucket(bound)} ${counts[position] ?? 0}`);
			lines.push(
				`${bucket("+Inf")} ${count}`,
				`${DURATIONS}_sum${key} ${sumSeconds}`,
				`${DURATIONS}_count${key} ${count}`,
			);
		}
		return lines;
	}
}

function labelText(labels: Labels): string {
	const text = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`);
	return text.length === 0 ? "" : `{${text.join(",")}}`;
}

function escapeLabel(value: string): string {
	return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** A registry's metrics, all at nought. */
export function registryMetrics(): Metrics {
	const metrics = new Metrics();
	metrics.describe("gantry_registry_requests_total", "counter", "Requests answered.");
	metrics.describe("gantry_registry_requests_in_flight", "gauge", "Requests whose answer is not ready yet.");
	metrics.describe("gantry_registry_received_bytes_total", "counter", "Bytes of blobs received.");
	metrics.describe("gantry_registry_served_bytes_total", "counter", "Bytes of blobs in answers begun.");
	metrics.describe("gantry_registry_events_total", "counter", "Pushes, pulls, mounts and deletions.");
	metrics.describe("gantry_registry_uploads", "gauge", "Uploads known to this process and not finished.");
	metrics.describe("gantry_registry_collected_total", "counter", "Things removed by garbage collection.");
	metrics.describe("gantry_registry_collected_bytes_total", "counter", "Bytes of blobs removed by garbage collection.");
	metrics.describe("gantry_registry_collections_total", "counter", "Garbage collections by result.");
	metrics.describe("gantry_registry_webhook_events_total", "counter", "Notifications by result.");
	metrics.describe("gantry_registry_webhook_queue", "gauge", "Notifications waiting.");
	metrics.describe(
		"gantry_registry_proxy_requests_total",
		"counter",
		"Look-ups of the pull-through cache by kind and result.",
	);
	metrics.describe("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
	metrics.describe("process_start_time_seconds", "gauge", "Start of the process since the epoch in seconds.");
	return metrics;
}
