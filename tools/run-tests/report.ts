/** What a run of tests says, in numbers and names. Pure. */

export interface Counts {
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
}

export interface FailedTest {
	/** `file:line` where known. */
	readonly place: string;
	readonly name: string;
	/** First line of what went wrong. */
	readonly message: string;
}

export interface Report extends Counts {
	readonly failures: readonly FailedTest[];
	/** Names of the tests that were skipped. */
	readonly skips: readonly string[];
}

export const NOTHING: Report = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };

export function addReports(reports: readonly Report[]): Report {
	return reports.reduce(
		(sum, each) => ({
			passed: sum.passed + each.passed,
			failed: sum.failed + each.failed,
			skipped: sum.skipped + each.skipped,
			failures: [...sum.failures, ...each.failures],
			skips: [...sum.skips, ...each.skips],
		}),
		NOTHING,
	);
}

/** The last line of a run. Tools read it: keep its form. */
export function summaryLine(counts: Counts): string {
	return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

export function failureReport(name: string, message: string): Report {
	return { ...NOTHING, failed: 1, failures: [{ place: name, name, message }] };
}

/**
 * The report of one `bun test` process. Bun writes no JUnit file when a test ends the process or a file does not load, and
 * counts an error between tests nowhere: both are failures whatever the exit code says.
 */
export function reportOfBunTest(name: string, exitCode: number, junit: string | undefined): Report {
	if (junit === undefined) return failureReport(name, `ended with code ${exitCode} before its tests were done`);
	const report = parseJunit(junit);
	if (exitCode === 0 || report.failed > 0) return report;
	return addReports([report, failureReport(name, `ended with code ${exitCode} though no test failed`)]);
}

/** Counts test cases of a JUnit XML file as Bun and pytest write it. */
export function parseJunit(xml: string): Report {
	const reports: Report[] = [];
	for (const match of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g))
		reports.push(reportOfCase(attributesOf(match[1] ?? ""), match[2] ?? ""));
	return addReports(reports);
}

function reportOfCase(attributes: ReadonlyMap<string, string>, body: string): Report {
	const group = attributes.get("classname") ?? "";
	const name = `${group}${group === "" ? "" : " > "}${attributes.get("name") ?? ""}`;
	if (/<skipped\b/.test(body)) return { ...NOTHING, skipped: 1, skips: [name] };
	const failure = /<(?:failure|error)\b([^>]*)>/.exec(body);
	if (failure === null) return { ...NOTHING, passed: 1 };
	const message = attributesOf(failure[1] ?? "").get("message") ?? "";
	const place = [attributes.get("file"), attributes.get("line")].filter((part) => part !== undefined).join(":");
	return { ...NOTHING, failed: 1, failures: [{ place, name, message: message.split("\n")[0] ?? "" }] };
}

function attributesOf(text: string): ReadonlyMap<string, string> {
	const attributes = new Map<string, string>();
	for (const match of text.matchAll(/([\w:-]+)="([^"]*)"/g))
		attributes.set(match[1] ?? "", unescapeXml(match[2] ?? ""));
	return attributes;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
	return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
		if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
		if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
		return ENTITIES[name] ?? whole;
	});
}

/** A runner of another kind (make, the check): its own `N passed, N failed` line, else its exit code as one test. */
export function reportOfCommand(name: string, exitCode: number, output: string): Report {
	const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)];
	const sum = lines.reduce(
		(counts, line) => ({
			passed: counts.passed + Number(line[1]),
			failed: counts.failed + Number(line[2]),
			skipped: counts.skipped + Number(line[3] ?? 0),
		}),
		{ passed: 0, failed: 0, skipped: 0 },
	);
	if (exitCode !== 0 && sum.failed === 0)
		return { ...failureReport(name, `ended with code ${exitCode}`), passed: sum.passed, skipped: sum.skipped };
	if (sum.failed > 0) {
		const failures = [{ place: name, name, message: `${sum.failed} failed` }];
		return { ...NOTHING, ...sum, failures };
	}
	return lines.length > 0 ? { ...NOTHING, ...sum } : { ...NOTHING, passed: 1 };
}
