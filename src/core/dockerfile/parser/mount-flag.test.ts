import { expect, test } from "bun:test";
import { DockerfileError } from "../dockerfile-error.ts";
import type { Mount } from "../syntax.ts";
import { expandMount, parseMountFlag } from "./mount-flag.ts";

function mount(text: string): Mount {
	return expandMount(parseMountFlag(text), (value) => value.replace("$V", "value"));
}

const good: readonly (readonly [text: string, expected: Partial<Mount>])[] = [
	["target=/x", { type: "bind", target: "/x", readOnly: true }],
	["type=bind,src=/a,dst=/b,from=stage", { source: "/a", target: "/b", from: "stage" }],
	["type=bind,destination=/b,rw", { target: "/b", readOnly: false }],
	["type=bind,target=/b,readwrite=false", { readOnly: true }],
	["type=BIND,Target=/b,RO", { type: "bind", target: "/b", readOnly: true }],
	["type=cache,target=/c", { type: "cache", readOnly: false, sharing: undefined }],
	["type=cache,target=/c,ro=1,sharing=private", { readOnly: true, sharing: "private" }],
	["type=cache,target=/c,id=$V,uid=1000,gid=0,mode=0755", { id: "value", uid: 1000, gid: 0, mode: 0o755 }],
	["type=tmpfs,target=/t,size=1.5g", { sizeBytes: 1.5 * 1024 ** 3, readOnly: false }],
	["type=secret,id=a", { id: "a", required: false, env: undefined, readOnly: true }],
	["type=secret,src=a,env=A,required=true", { source: "a", env: "A", required: true }],
	["required,type=ssh", { type: "ssh", required: true }],
	['type=bind,"target=/with,comma","source=a ""b"""', { target: "/with,comma", source: 'a "b"' }],
	["from=$,target=/x", { from: "$" }],
];
test.each(good)("%s", (text, expected) => {
	expect(mount(text)).toMatchObject(expected);
});

const bad: readonly (readonly [text: string, reason: string])[] = [
	["type=volume,target=/x", 'unsupported mount type "volume"'],
	["type=cache,target=/x,sharing=shraed", 'unsupported sharing value "shraed"'],
	["tpye=bind", 'unexpected key "tpye"'],
	["target", '"target" must be a key=value pair'],
	["", 'unexpected key ""'],
	["target=/x,size=1", "size= does not belong to a mount of type bind"],
	["target=/x,required", "required= does not belong to a mount of type bind"],
	["type=tmpfs,target=/x,uid=1", "uid= does not belong to a mount of type tmpfs"],
	["type=secret", "a secret mount needs an id"],
	["type=secret,id=a,from=b", "from= does not belong to a mount of type secret"],
	["type=cache,target=/x,uid=-1", "invalid value for uid"],
	["type=cache,target=/x,uid=4294967296", "invalid value for uid"],
	["type=cache,target=/x,mode=0x1", "invalid value for mode"],
	["type=tmpfs,target=/x,size=big", "invalid value for size"],
	["target=/x,ro=perhaps", "invalid value for readonly"],
	["from=${STAGE},target=/x", "from= takes no variables"],
	['target="/x"', "a quote in the middle"],
	['"target=/x', "has no partner"],
	['"target=/x"y', "text behind a quoted field"],
];
test.each(bad)("%s is refused", (text, reason) => {
	expect(() => mount(text)).toThrow(DockerfileError);
	expect(() => mount(text)).toThrow(reason);
});
