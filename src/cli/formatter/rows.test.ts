import { describe, expect, test } from "bun:test";
import type { Output } from "../output.ts";
import { type Fields, writeRows } from "./rows.ts";

interface Item {
	id: string;
	name: string;
	labels: Record<string, string>;
}

const FIELDS: Fields<Item> = {
	ID: { header: "ITEM ID", value: ({ id }) => id },
	Name: { header: "NAME", value: ({ name }) => name },
	Label: {
		header: "LABEL",
		value:
			({ labels }) =>
			(key: string) =>
				labels[key] ?? "",
		isHidden: true,
	},
};
const ITEMS: Item[] = [
	{ id: "1", name: "a name that is long…", labels: { "com.example.some-role": "db" } },
	{ id: "22", name: "b", labels: {} },
];

async function render(items: Item[], format: string): Promise<string> {
	let text = "";
	const output = {
		fd: -1,
		write: (data: string) => {
			text += data;
		},
		line: (data: string) => {
			text += `${data}\n`;
		},
	};
	await writeRows(output as unknown as Output, items, { fields: FIELDS, columns: ["Name", "ID"], format });
	return text;
}

describe("writeRows()", () => {
	const cases: [string, string][] = [
		["", "NAME                   ITEM ID\na name that is long…   1\nb                      22\n"],
		["table", "NAME                   ITEM ID\na name that is long…   1\nb                      22\n"],
		["json", '{"ID":"1","Name":"a name that is long…"}\n{"ID":"22","Name":"b"}\n'],
		["{{.ID}}\\t{{.Name}}", "1\ta name that is long…\n22\tb\n"],
		["table {{.ID}}\\t{{upper .Name}}", "ITEM ID   NAME\n1         A NAME THAT IS LONG…\n22        B\n"],
		['table {{.ID}}\\t{{.Label "com.example.some-role"}}', "ITEM ID   some role\n1         db\n22        \n"],
		["{{json .}}", '{"ID":"1","Name":"a name that is long…"}\n{"ID":"22","Name":"b"}\n'],
	];
	for (const [format, want] of cases)
		test(`lays out ${JSON.stringify(format)} as docker does`, async () => {
			expect(await render(ITEMS, format)).toBe(want);
		});

	test("escapes markup in rows of JSON, as Go does, but not in single fields", async () => {
		const items = [{ id: "<1>&", name: "b", labels: {} }];
		expect([await render(items, "json"), await render(items, "{{json .ID}}")]).toEqual([
			'{"ID":"\\u003c1\\u003e\\u0026","Name":"b"}\n',
			'"<1>&"\n',
		]);
	});

	test("shows the header of an empty table and nothing of an empty list", async () => {
		expect([await render([], ""), await render([], "{{.ID}}"), await render([], "table {{.ID}}")]).toEqual([
			"NAME      ITEM ID\n",
			"",
			"ITEM ID\n",
		]);
	});

	test("refuses an unknown field with docker's words", async () => {
		const message = `failed to execute template: template: :1:2: executing "" at <.Nope>: can't evaluate field Nope in type row`;
		await expect(render(ITEMS, "{{.Nope}}")).rejects.toThrow(message);
		await expect(render(ITEMS, "{{.ID")).rejects.toThrow("failed to parse template: template: :1: unclosed action");
	});
});
