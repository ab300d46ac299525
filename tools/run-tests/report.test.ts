import { describe, expect, test } from "bun:test";
import { addReports, NOTHING, parseJunit, reportOfBunTest, reportOfCommand, summaryLine } from "./report.ts";

const JUNIT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" failures="1" skipped="1">
  <testsuite name="a.test.ts" file="a.test.ts">
    <testcase name="one" classname="" file="a.test.ts" line="2" />
    <testcase name="two" classname="" file="a.test.ts" line="3"><skipped /></testcase>
    <testsuite name="group">
      <testcase name="three &gt; &quot;x&quot;" classname="group" file="a.test.ts" line="5">
        <failure type="AssertionError" message="expected 1&#10;received 2">stack</failure>
      </testcase>
      <testcase name="four" classname="group" file="a.test.ts" line="9"></testcase>
    </testsuite>
  </testsuite>
</testsuites>`;

test("parseJunit() counts the cases and names what failed and what was skipped", () => {
	expect(parseJunit(JUNIT)).toEqual({
		passed: 2,
		failed: 1,
		skipped: 1,
		failures: [{ place: "a.test.ts:5", name: 'group > three > "x"', message: "expected 1" }],
		skips: ["two"],
	});
});

test("reportOfBunTest() counts a process that ended without a report as a failure, whatever its code", () => {
	expect(reportOfBunTest("a", 0, undefined)).toMatchObject({ passed: 0, failed: 1 });
});

test("reportOfBunTest() counts an error outside the tests as a failure", () => {
	const passing = JUNIT.replace(/<failure[\s\S]*<\/failure>/, "");
	expect(reportOfBunTest("a", 1, passing)).toMatchObject({ passed: 3, failed: 1, skipped: 1 });
	expect(reportOfBunTest("a", 0, passing)).toMatchObject({ passed: 3, failed: 0, skipped: 1 });
	expect(reportOfBunTest("a", 1, JUNIT)).toMatchObject({ passed: 2, failed: 1, skipped: 1 });
});

describe("reportOfCommand() takes", () => {
	const cases: readonly (readonly [string, number, string, object])[] = [
		["the runner's own numbers", 0, "x\n3 passed, 0 failed\n", { passed: 3, failed: 0, skipped: 0 }],
		[
			"the sum of several lines",
			1,
			"3 passed, 1 failed\n2 passed, 0 failed, 4 skipped",
			{ passed: 5, failed: 1, skipped: 4 },
		],
		["the exit code where there are none", 0, "done", { passed: 1, failed: 0, skipped: 0 }],
		["a bad exit code in spite of good numbers", 2, "3 passed, 0 failed", { passed: 3, failed: 1, skipped: 0 }],
	];
	for (const [name, code, output, counts] of cases)
		test(name, () => {
			expect(reportOfCommand("make", code, output)).toMatchObject(counts);
		});
});

test("summaryLine() has the form that tools read", () => {
	const sum = addReports([parseJunit(JUNIT), { ...NOTHING, passed: 10 }]);
	expect(summaryLine(sum)).toBe("12 passed, 1 failed, 1 skipped");
});
