import { expect, test } from "bun:test";
import { NotImplementedError } from "../../base/errors.ts";
import { checkFrontend } from "./frontend.ts";

const NO_ARGUMENTS = new Map<string, string>();

test.each([
	"FROM scratch",
	"# syntax=docker/dockerfile:1\nFROM scratch",
	"# syntax = docker/dockerfile:1.26-labs\nFROM scratch",
	"# escape=`\r\n# syntax=docker.io/docker/dockerfile-upstream:master\r\nFROM scratch",
	`# syntax=mirror.example.com:5000/docker/dockerfile@sha256:${"0".repeat(64)}\nFROM scratch`,
	"#!/usr/bin/env docker\n# syntax=dockerfile\nFROM scratch",
	"# a comment\n# syntax=other/frontend\nFROM scratch",
])("%j is read here", (source) => {
	expect(() => checkFrontend({ source }, NO_ARGUMENTS)).not.toThrow();
});

test.each([
	"# syntax=other/frontend:1\nFROM scratch",
	"#!/x\n# escape=`\n#syntax=example.com/dockerfile-like args",
	"# syntax=docker/dockerfile/other",
])("%j is not", (source) => {
	expect(() => checkFrontend({ source }, NO_ARGUMENTS)).toThrow(NotImplementedError);
});

test("a build argument overrides the directive", () => {
	const source = "# syntax=other/frontend\nFROM scratch";
	const mine = new Map([["BUILDKIT_SYNTAX", "docker/dockerfile:1"]]);
	expect(() => checkFrontend({ source }, mine)).not.toThrow();
	const other = new Map([["BUILDKIT_SYNTAX", "other"]]);
	expect(() => checkFrontend({ source: "FROM scratch" }, other)).toThrow('frontend "other"');
});
