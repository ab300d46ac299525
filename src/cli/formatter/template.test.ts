import { describe, expect, test } from "bun:test";
import { Template } from "./template.ts";

const DATA = {
	Id: "abc123",
	Name: "/web",
	State: { Status: "running", Running: true, ExitCode: 0 },
	Config: { Env: ["A=b", "C=d"], Labels: { b: "2", a: "1" }, Cmd: null },
	HostConfig: { Tmpfs: null, PidsLimit: null },
	NetworkSettings: { Networks: { bridge: { IPAddress: "172.17.0.2" } } },
	Created: 1_700_000_000,
	Ratio: 0.5,
	Actor: { Attributes: { name: "web" } },
};

describe("Template", () => {
	const cases: [string, string][] = [
		["{{.Name}} is {{.State.Status}}", "/web is running"],
		["{{.ID}}", "abc123"],
		["{{json .State}}", '{"Status":"running","Running":true,"ExitCode":0}'],
		["{{.Config.Env}} {{.Config.Labels}}", "[A=b C=d] map[a:1 b:2]"],
		["{{.Config.Cmd}} {{.HostConfig.Tmpfs}} {{$.HostConfig.PidsLimit}}", "[] map[] <nil>"],
		["{{json .Config.Cmd}}", "null"],
		["{{.Config.Labels.missing}}", "<no value>"],
		["{{.Actor.Attributes.name}} {{.Actor.Attributes.reclaimed}}", "web <no value>"],
		['{{index .Config.Labels "a"}}{{index .Config.Labels "z"}}', "1"],
		["{{index .Config.Env 1}}", "C=d"],
		["{{(index .Config.Env 0)}}", "A=b"],
		["{{range .Config.Env}}<{{.}}>{{end}}", "<A=b><C=d>"],
		["{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}", "0=A=b;1=C=d;"],
		["{{range $k, $v := .NetworkSettings.Networks}}{{$k}}:{{$v.IPAddress}}{{end}}", "bridge:172.17.0.2"],
		["{{range .Config.Cmd}}x{{else}}none{{end}}", "none"],
		["{{range .Config.Env}}{{if eq . `A=b`}}{{continue}}{{end}}{{.}}{{break}}{{end}}", "C=d"],
		["{{if .State.Running}}up{{else if .Name}}named{{else}}down{{end}}", "up"],
		["{{if .State.ExitCode}}bad{{else if .Name}}named{{end}}", "named"],
		["{{with .State}}{{.Status}}{{$.Name}}{{end}}", "running/web"],
		["{{if .State.Health}}{{.State.Health.Status}}{{else}}no check{{end}}", "no check"],
		["{{.State.Health}}", "<nil>"],
		["{{$x := .Name}}{{$x = `y`}}{{$x}}", "y"],
		["a {{- /* comment */ -}} b", "ab"],
		["a\n{{- .Name -}}\n b", "a/webb"],
		['{{join .Config.Env ","}} {{upper .Name}} {{lower "ABC"}} {{title "two words"}}', "A=b,C=d /WEB abc Two Words"],
		['{{range split .Name "e"}}[{{.}}]{{end}}', "[/w][b]"],
		['{{pad "x" 1 2}}|{{truncate .Id 3}}|{{len .Config.Env}}|{{slice .Id 1 3}}', " x  |abc|2|bc"],
		[
			'{{printf "%s %q %d %05d %-4s| %x %v %.2f %t" .Id .Id 5 42 "ab" "a" .Config.Env .Ratio true}}',
			'abc123 "abc123" 5 00042 ab  | 61 [A=b C=d] 0.50 true',
		],
		['{{.Id | printf "%s-%s" "x"}}', "x-abc123"],
		['{{println "a" 1}}', "a 1\n"],
		['{{print 1 2 "x" 3}}', "1 2x3"],
		[
			"{{eq .State.Status `a` `running`}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge `b` `a`}}",
			"true true true true false true",
		],
		["{{and .Name 0}} {{or 0 .Id}} {{not .Name}}", "0 abc123 false"],
		["{{or .Foo .Id}}", "abc123"],
		['{{html "<a>"}} {{urlquery "a b"}}', "&lt;a&gt; a+b"],
		["{{.Created}} {{.Ratio}}", "1700000000 0.5"],
		["{{'a'}} {{0x10}} {{1.5}} {{true}} {{\"\\t\\u00e9\"}}", "97 16 1.5 true \té"],
	];
	for (const [source, want] of cases)
		test(`gives ${JSON.stringify(want)} for ${source}`, () => {
			expect(new Template(source).execute(DATA)).toBe(want);
		});

	const mistakes: [string, string][] = [
		["{{.Foo}}", 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
		["{{.State.Foo}}", 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"'],
		["{{.Id.X}}", `template: :1:5: executing "" at <.Id.X>: can't evaluate field X in type string`],
		[
			"{{index .Config.Env 9}}",
			'template: :1:2: executing "" at <index .Config.Env 9>: error calling index: index out of range: 9',
		],
		["{{gt `a` 1}}", 'template: :1:2: executing "" at <gt `a` 1>: error calling gt: incompatible types for comparison'],
		["{{.Id", "template: :1: unclosed action"],
		["{{foo}}", 'template: :1: function "foo" not defined'],
		["{{if .Id}}", "template: :1: unexpected EOF"],
		["\n{{end}}", "template: :2: unexpected {{end}}"],
		["{{else}}", "template: :1: unexpected {{else}}"],
		["{{if}}{{end}}", "template: :1: missing value for if"],
		['{{"abc}}', "template: :1: unterminated quoted string"],
		["{{$x}}", 'template: :1: undefined variable "$x"'],
		["{{break}}", "template: :1: {{break}} outside {{range}}"],
	];
	for (const [source, message] of mistakes)
		test(`says what is wrong with ${JSON.stringify(source)}`, () => {
			expect(() => new Template(source).execute(DATA)).toThrow(expect.objectContaining({ message }));
		});

	test("survives any text without another kind of error", () => {
		const pieces = [
			"{{",
			"}}",
			"-",
			".",
			"$x",
			"if",
			"end",
			'"',
			"range",
			"(",
			")",
			"|",
			" ",
			":=",
			"1",
			"Name",
			"'",
			"`",
			"/*",
		];
		for (let seed = 1; seed < 3000; seed++) {
			let state = seed;
			let source = "{{";
			for (let count = 0; count < 8; count++) {
				state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
				source += pieces[state % pieces.length];
			}
			try {
				new Template(source).execute(DATA);
			} catch (error) {
				expect(error).toHaveProperty("name", "TemplateError");
			}
		}
	});
});
