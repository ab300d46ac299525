import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { closeDescriptor } from "../../../src/drivers/linux/file-descriptors.ts";
import { bindSocket } from "../../../src/drivers/linux/sockets.ts";
import { ShimFixture, until } from "./fixture.ts";

/** What relays are for: IPv6 on the host, IPv4 in the container. */
const HOST = "::1";

describe("published ports relayed in user space", () => {
	let fixture: ShimFixture;
	beforeAll(() => {
		fixture = new ShimFixture();
	});
	afterAll(() => fixture.close());

	/** The "container" is a server of this process: the relay only knows an address. */
	async function relayTo(port: number, protocol: "tcp" | "udp") {
		const host = bindSocket(protocol, HOST, 0);
		const request = fixture.container({ args: ["sleep", "1000"] });
		const relays = [{ fd: host.fd, protocol, containerAddress: "127.0.0.1", containerPort: port }];
		const task = await fixture.shims.launch({ ...request, relays });
		closeDescriptor(host.fd);
		await task.start();
		const stop = async () => {
			await task.kill(9);
			await task.exited;
			await task.forget();
		};
		return { port: host.port, stop };
	}

	test("TCP goes both ways, keeps half-closes and frees the port when the process ends", async () => {
		const server = Bun.listen({
			hostname: "127.0.0.1",
			port: 0,
			allowHalfOpen: true,
			socket: {
				data(socket, data) {
					socket.write(data);
				},
				end(socket) {
					socket.end("bye");
				},
			},
		});
		const relay = await relayTo(server.port, "tcp");
		const client = connect({ host: HOST, port: relay.port, allowHalfOpen: true });
		client.end("hello ");
		let text = "";
		for await (const chunk of client) text += String(chunk);
		expect(text).toBe("hello bye");
		await relay.stop();
		expect(
			await new Promise((resolve) => {
				connect({ host: HOST, port: relay.port })
					.on("error", () => resolve("refused"))
					.on("connect", () => resolve("open"));
			}),
		).toBe("refused");
		server.stop(true);
	});

	test("a container that does not listen resets the client", async () => {
		const relay = await relayTo(1, "tcp");
		const client = connect({ host: HOST, port: relay.port });
		client.on("error", () => {});
		await new Promise((resolve) => client.on("close", resolve));
		await relay.stop();
	});

	test("UDP answers come back to the client that asked", async () => {
		const server = await Bun.udpSocket({
			hostname: "127.0.0.1",
			socket: {
				data(socket, data, port, address) {
					socket.send(`re: ${data}`, port, address);
				},
			},
		});
		const relay = await relayTo(server.port, "udp");
		for (const word of ["one", "two"]) {
			let answer = "";
			const client = await Bun.udpSocket({
				hostname: HOST,
				socket: {
					data(_socket, data) {
						answer = String(data);
					},
				},
			});
			client.send(word, relay.port, HOST);
			await until("an answer", () => answer !== "");
			expect(answer).toBe(`re: ${word}`);
			client.close();
		}
		await relay.stop();
		server.close();
	});
});
