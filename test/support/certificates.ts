/** Certificates for tests, made by openssl. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./commands.ts";

export interface Certificate {
	readonly cert: string;
	readonly key: string;
}

/** An authority, and certificates of it for servers and clients; files in one directory. */
export class TestAuthority {
	private constructor(
		readonly directory: string,
		readonly cert: string,
		private readonly key: string,
	) {}

	static async make(directory: string, name = "ca"): Promise<TestAuthority> {
		const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
		const argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
		await mustRun([...argv, "-days", "2", "-subj", `/CN=${name}`, "-keyout", key, "-out", cert]);
		return new TestAuthority(directory, cert, key);
	}

	/** @param names as in `subjectAltName`: `IP:127.0.0.1`, `DNS:registry.test` */
	async issue(name: string, ...names: string[]): Promise<Certificate> {
		const path = (ending: string) => join(this.directory, `${name}.${ending}`);
		const argv = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
		await mustRun([...argv, "-subj", `/CN=${name}`, "-keyout", path("key"), "-out", path("csr")]);
		const usage = "extendedKeyUsage=serverAuth,clientAuth";
		writeFileSync(path("ext"), names.length === 0 ? usage : `${usage}\nsubjectAltName=${names.join(",")}`);
		const from = ["-in", path("csr"), "-CA", this.cert, "-CAkey", this.key, "-CAcreateserial"];
		await mustRun(["openssl", "x509", "-req", ...from, "-days", "2", "-extfile", path("ext"), "-out", path("cert")]);
		return { cert: path("cert"), key: path("key") };
	}
}
