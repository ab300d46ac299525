/** `--sbom`: what is in an image, stated beside it. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite({ registry: true });

const build = async (...args: string[]) =>
	suite.daemon.gantry(["build", "--progress", "plain", ...args, suite.context.directory]);

// biome-ignore lint/suspicious/noExplicitAny: documents of several kinds, looked into at once
type Json = any;

const TREE = {
	"root/etc/os-release": "ID=alpine\n",
	"root/usr/lib/apk/db/installed": "P:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\n\nP:zlib\nV:1.3-r0\n",
	"root/var/lib/dpkg/status": "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
	"root/var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n",
	"root/usr/local/lib/python3.11/site-packages/Six_Pack-1.16.dist-info/METADATA": "Name: Six_Pack\nVersion: 1.16\n\n",
	"root/app/node_modules/@scope/pkg/package.json": '{"name":"@scope/pkg","version":"2.0.0","license":"ISC"}',
	"root/app/node_modules/@scope/pkg/node_modules/deep/package.json": '{"name":"deep","version":"0.1.0"}',
	Dockerfile: ["FROM busybox", "COPY root /", "RUN ln -sfn /etc /etc/loop", "WORKDIR /app"],
};
const PACKAGES = [
	"pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64",
	"pkg:apk/alpine/zlib@1.3-r0",
	"pkg:deb/alpine/base-files@12.4?arch=amd64",
	"pkg:npm/%40scope/pkg@2.0.0",
	"pkg:npm/deep@0.1.0",
	"pkg:pypi/six-pack@1.16",
];

function packageUrls({ predicate }: Json): string[] {
	return predicate.packages.flatMap((each: Json) => each.externalRefs?.[0].referenceLocator ?? []).sort();
}

test("in a registry, beside provenance", async () => {
	suite.context.write(TREE);
	const name = `${suite.registry.host}/sbom:1`;
	const { code, stderr } = await build("-t", name, "--push", "--sbom", "true", "--provenance", "true");
	expect([code, stderr]).toEqual([0, expect.stringContaining("generating sbom")]);
	const accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
	const get = async (path: string): Promise<Json> =>
		(await fetch(`http://${suite.registry.host}/v2/sbom/${path}`, { headers: { Accept: accept } })).json();
	const [image, attestation] = (await get("manifests/1")).manifests;
	const { layers } = await get(`manifests/${attestation.digest}`);
	expect(layers.map((layer: Json) => layer.annotations["in-toto.io/predicate-type"])).toEqual([
		"https://spdx.dev/Document",
		"https://slsa.dev/provenance/v0.2",
	]);
	const statement = await get(`blobs/${layers[0].digest}`);
	expect(`sha256:${statement.subject[0].digest.sha256}`).toBe(image.digest);
	expect(statement.predicate.spdxVersion).toBe("SPDX-2.3");
	expect(packageUrls(statement)).toEqual(PACKAGES);
	const { packages, relationships } = statement.predicate;
	const ids = new Set(packages.map((each: Json) => each.SPDXID));
	expect(ids.size).toBe(packages.length);
	expect(relationships.every((each: Json) => ids.has(each.relatedSpdxElement))).toBe(true);
	await suite.daemon.mustDocker(["rmi", "-f", name]);
	await suite.daemon.mustDocker(["pull", "-q", name]);
});

test("in an archive, alone, and of an image without packages", async () => {
	suite.context.write({ Dockerfile: ["FROM scratch", "COPY Dockerfile /"] });
	const archive = suite.context.path("sbom.tar");
	expect((await build("-o", `type=oci,dest=${archive}`, "--attest", "type=sbom")).code).toBe(0);
	const read = async (name: string): Promise<Json> => JSON.parse(await mustRun(["tar", "-xOf", archive, name]));
	const blob = (digest: string) => read(`blobs/sha256/${digest.slice(7)}`);
	const [top] = (await read("index.json")).manifests;
	const [, attestation] = (await blob(top.digest)).manifests;
	const { layers } = await blob(attestation.digest);
	expect(layers.length).toBe(1);
	expect(packageUrls(await blob(layers[0].digest))).toEqual([]);
});

test("not by a generator, and not into the store", async () => {
	suite.context.write({ Dockerfile: ["FROM scratch", "COPY Dockerfile /"] });
	expect((await build("--sbom", "generator=some/scanner")).stderr).toContain(
		"an SBOM by a generator (some/scanner; without one, the builder looks by itself) is not supported yet",
	);
	expect((await build("--sbom", "true")).stderr).toContain("keeps neither annotations nor attestations");
});
