import { expect, test } from "bun:test";
import { compareResults, countOutcomes, parseMochaJson, parsePytestJunit, parseVitestJson } from "./results.ts";

test("parsePytestJunit() keeps the failure of a test that also reports an error in its tear-down", () => {
	const xml = `<testsuites><testsuite>
		<testcase classname="tests.a.A" name="test_one" time="1" />
		<testcase classname="tests.a.A" name="test_two"><failure message="assert 1 == 2&#10;more">trace</failure></testcase>
		<testcase classname="tests.a.A" name="test_two" />
		<testcase classname="tests.a.A" name="test_three"><skipped type="pytest.skip" message="no">x</skipped></testcase>
	</testsuite></testsuites>`;
	expect([...parsePytestJunit(xml)]).toEqual([
		["tests.a.A.test_one", { outcome: "passed" }],
		["tests.a.A.test_two", { outcome: "failed", message: "assert 1 == 2" }],
		["tests.a.A.test_three", { outcome: "skipped" }],
	]);
});

test("parseMochaJson() and parseVitestJson() read all outcomes", () => {
	const mocha = parseMochaJson(
		JSON.stringify({
			passes: [{ fullTitle: "a" }],
			failures: [{ fullTitle: "b", err: { message: "x\ny" } }],
			pending: [{ fullTitle: "c" }],
		}),
	);
	const vitest = parseVitestJson(
		JSON.stringify({
			testResults: [
				{
					name: "/x/d.test.ts",
					assertionResults: [
						{ fullName: "a", status: "passed" },
						{ fullName: "b", status: "failed", failureMessages: ["x\ny"] },
						{ fullName: "c", status: "pending" },
					],
				},
			],
		}),
	);
	expect(countOutcomes(mocha)).toEqual({ passed: 1, failed: 1, skipped: 1 });
	expect(mocha.get("b")).toEqual({ outcome: "failed", message: "x" });
	expect(vitest.get("d.test.ts: b")).toEqual({ outcome: "failed", message: "x" });
	expect(countOutcomes(vitest)).toEqual({ passed: 1, failed: 1, skipped: 1 });
});

test("compareResults() lists what came out differently or ran on one side only", () => {
	const subject = new Map([
		["same", { outcome: "failed" as const }],
		["worse", { outcome: "failed" as const, message: "no" }],
	]);
	const reference = new Map([
		["same", { outcome: "failed" as const }],
		["worse", { outcome: "passed" as const }],
		["gone", { outcome: "passed" as const }],
	]);
	expect(compareResults(subject, reference)).toEqual([
		{ name: "gone", reference: { outcome: "passed" } },
		{ name: "worse", subject: { outcome: "failed", message: "no" }, reference: { outcome: "passed" } },
	]);
});
