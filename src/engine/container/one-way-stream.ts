import { Duplex, type Readable } from "node:stream";

/** Output alone as the duplex stream a session has: what the client writes is dropped. */
export function oneWayStream(output: Readable): Duplex {
	const stream = new Duplex({
		read: () => output.resume(),
		write: (_chunk, _encoding, done) => done(),
		destroy: (error, done) => {
			output.destroy();
			done(error);
		},
	});
	output.on("data", (chunk: Buffer) => {
		if (!stream.push(chunk)) output.pause();
	});
	output.on("end", () => stream.push(null));
	output.on("error", (error) => stream.destroy(error));
	return stream;
}
