import { expect, test } from "bun:test";
import { exposedPorts } from "./exposed-ports.ts";

const good: readonly (readonly [word: string, ports: readonly string[]])[] = [
	["80", ["80/tcp"]],
	["80/", ["80/tcp"]],
	["80/UDP", ["80/udp"]],
	["80-82/sctp", ["80/sctp", "81/sctp", "82/sctp"]],
	["80-80", ["80/tcp"]],
	["8080:80", ["80/tcp"]],
	["127.0.0.1:8080:80/udp", ["80/udp"]],
	["[::1]:8080:80", ["80/tcp"]],
	["::1:8080:80", ["80/tcp"]],
	["127.0.0.1::80", ["80/tcp"]],
	["8080-8081:80", ["80/tcp"]],
	["8080-8081:80-81", ["80/tcp", "81/tcp"]],
];
test.each(good)("%s", (word, ports) => {
	expect(exposedPorts(word)).toEqual([...ports]);
});

const bad: readonly (readonly [word: string, message: string])[] = [
	["", 'invalid port: "": no port specified'],
	["/tcp", 'invalid port: "/tcp": no port specified'],
	["80/http", 'invalid port: "80/http": invalid proto: http'],
	["80/tcp/udp", 'invalid port: "80/tcp/udp": invalid proto: tcp/udp'],
	["many", "invalid containerPort: many"],
	["0", "invalid containerPort: 0"],
	["65536", "invalid containerPort: 65536"],
	["82-80", "invalid containerPort: 82-80"],
	["-80", "invalid containerPort: -80"],
	["x:80", "invalid hostPort: x"],
	["localhost:80:80", "invalid IP address: localhost"],
	["80-82:80-81", "invalid ranges specified"],
];
test.each(bad)("%s is refused", (word, message) => {
	expect(() => exposedPorts(word)).toThrow(message);
});
