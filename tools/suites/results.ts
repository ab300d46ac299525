/** Results of other projects' test runners, test by test, and how two runs differ. Pure. */

export type Outcome = "passed" | "failed" | "skipped";

export interface TestResult {
	readonly outcome: Outcome;
	/** Why it failed, as far as the runner tells. */
	readonly message?: string;
}

export type SuiteResults = ReadonlyMap<string, TestResult>;

export interface Difference {
	readonly name: string;
	/** Absent when the test did not run on that side. */
	readonly subject?: TestResult;
	readonly reference?: TestResult;
}

/** Tests that came out differently, by name. */
export function compareResults(subject: SuiteResults, reference: SuiteResults): Difference[] {
	const names = [...new Set([...subject.keys(), ...reference.keys()])].sort();
	return names.flatMap((name) => {
		const [ours, theirs] = [subject.get(name), reference.get(name)];
		if (ours?.outcome === theirs?.outcome) return [];
		return [
			{
				name,
				...(ours === undefined ? {} : { subject: ours }),
				...(theirs === undefined ? {} : { reference: theirs }),
			},
		];
	});
}

/** pytest's `--junitxml`. */
export function parsePytestJunit(xml: string): SuiteResults {
	const results = new Map<string, TestResult>();
	for (const match of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
		const attribute = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(match[1] ?? "")?.[1] ?? "";
		const name = `${attribute("classname")}.${attribute("name")}`;
		const body = match[2] ?? "";
		const failure = /<(?:failure|error)\b[^>]*?message="([^"]*)"/.exec(body);
		if (failure !== null) results.set(name, { outcome: "failed", message: firstLine(unescapeXml(failure[1] ?? "")) });
		else if (results.get(name)?.outcome !== "failed")
			results.set(name, { outcome: /<skipped\b/.test(body) ? "skipped" : "passed" });
	}
	return results;
}

interface MochaTest {
	readonly fullTitle: string;
	readonly err?: { readonly message?: string };
}

/** mocha's `--reporter json`. */
export function parseMochaJson(text: string): SuiteResults {
	const report: Readonly<Record<"passes" | "failures" | "pending", readonly MochaTest[]>> = JSON.parse(text);
	const results = new Map<string, TestResult>();
	for (const test of report.passes) results.set(test.fullTitle, { outcome: "passed" });
	for (const test of report.pending) results.set(test.fullTitle, { outcome: "skipped" });
	for (const test of report.failures)
		results.set(test.fullTitle, { outcome: "failed", message: firstLine(test.err?.message ?? "") });
	return results;
}

interface VitestFile {
	readonly name: string;
	readonly assertionResults: readonly {
		readonly fullName: string;
		readonly status: string;
		readonly failureMessages?: readonly string[];
	}[];
}

/** vitest's `--reporter=json`. */
export function parseVitestJson(text: string): SuiteResults {
	const report: { readonly testResults: readonly VitestFile[] } = JSON.parse(text);
	const results = new Map<string, TestResult>();
	for (const file of report.testResults)
		for (const test of file.assertionResults) {
			const name = `${file.name.split("/").slice(-1)[0]}: ${test.fullName}`;
			if (test.status === "failed")
				results.set(name, { outcome: "failed", message: firstLine(test.failureMessages?.[0] ?? "") });
			else results.set(name, { outcome: test.status === "passed" ? "passed" : "skipped" });
		}
	return results;
}

export function countOutcomes(results: SuiteResults): Readonly<Record<Outcome, number>> {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	for (const { outcome } of results.values()) counts[outcome]++;
	return counts;
}

function firstLine(text: string): string {
	return (text.trim().split("\n")[0] ?? "").slice(0, 300);
}

function unescapeXml(text: string): string {
	return text
		.replaceAll("&#10;", "\n")
		.replaceAll("&lt;", "<")
		.replaceAll("&gt;", ">")
		.replaceAll("&quot;", '"')
		.replaceAll("&amp;", "&");
}
