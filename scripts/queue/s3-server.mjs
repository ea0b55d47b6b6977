// A server with the protocol of S3 for checks: moto, from PyPI.
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { virtualEnvironment } from '../venv.mjs';

const MOTO = 'moto[server]==5.2.1';

/** A server with the protocol of S3, which keeps its buckets in memory. */
export class S3Server {
  /** Returns whether there is one. */
  async start(port) {
    const python = virtualEnvironment('moto', [[MOTO]], 'a server with the protocol of S3');
    if (!python) return false;
    this.url = `http://127.0.0.1:${port}`;
    // For this process, its workers and commands.
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_EC2_METADATA_DISABLED: 'true',
    });
    this.child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
      stdio: 'ignore',
    });
    while (!(await fetch(this.url).catch(() => undefined))) await delay(100);
    return true;
  }

  /** A client of the AWS SDK, for what the checks look at. */
  async client() {
    this.s3 ??= await import('@aws-sdk/client-s3');
    return new this.s3.S3Client({ endpoint: this.url, region: 'us-east-1', forcePathStyle: true });
  }

  async makeBucket(name) {
    await (await this.client()).send(new this.s3.CreateBucketCommand({ Bucket: name }));
  }

  /** Keys of a bucket, and keys of uploads in parts that were not completed. */
  async keysOf(name) {
    const client = await this.client();
    const { Contents: objects = [] } = await client.send(new this.s3.ListObjectsV2Command({ Bucket: name }));
    const { Uploads: uploads = [] } = await client.send(
      new this.s3.ListMultipartUploadsCommand({ Bucket: name }),
    );
    return { objects: objects.map(({ Key }) => Key), uploads: uploads.map(({ Key }) => Key) };
  }

  kill() {
    this.child?.kill('SIGKILL');
  }
}
