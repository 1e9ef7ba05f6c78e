// What the demo shows, against the current kubeconfig: each command as a person would type it, and what it prints.

import { output } from '../cluster/process.ts';
import { type Forward, forwardAgent } from '../grpcurl.ts';
import { eventually, get, kinds } from '../kubectl.ts';

// Not among the samples that are applied at once: it is of files that the container writes first.
const trainingSnapshot = 'config/samples/training-snapshot.yaml';

const [install = 'config/default', samples = 'config/samples', prefix = 'kubectl'] = process.argv.slice(2);
const next = `
━━ Next
The cluster stays up. Some things to try:
  ${prefix} get jvs,jvssnap -o wide
  ${prefix} describe jvs training
  ${prefix} exec -it deploy/jvs-training -c trainer -- sh
  ${prefix} apply -f config/samples/snapshot.yaml
  ${prefix} scale jvs/training --replicas 0`;
async function tour(): Promise<void> {
  headline('Install the operator');
  await shell('kubectl', 'apply', '-k', install);
  await shell('kubectl', '-n', 'jvs-system', 'rollout', 'status', 'deploy/jvs-operator', '--timeout=180s');

  headline('Apply the samples: Workspaces, and a Snapshot of each');
  await eventually('the webhook answers', () => shell('kubectl', 'apply', '-k', samples), 60);
  await ready('jvs/ml-workspace', 'jvs/training');
  await shell('kubectl', 'apply', '-f', trainingSnapshot);
  await ready('jvssnap/pre-deployment', 'jvssnap/training-start');
  await shell('kubectl', 'get', 'jvs,jvssnap', '-o', 'wide');

  const { status } = await get<{ status?: { snapshotID?: string } }>(
    kinds.snapshot,
    'training-start',
    'default',
  );
  const id = status?.snapshotID ?? '';
  const inside = (script: string) =>
    shell('kubectl', 'exec', 'deploy/jvs-training', '-c', 'trainer', '--', 'sh', '-c', script);

  headline('The snapshot on the volume: plain files beside the payload');
  await inside(`cd /workspace && ls -l main .jvs/snapshots/${id} && cat .jvs/descriptors/${id}.json`);

  headline('A file is damaged, and brought back from the snapshot');
  await inside('cd /workspace/main && echo garbage > checkpoints/step-3 && cat checkpoints/step-3');
  await inside(
    `cd /workspace && cp .jvs/snapshots/${id}/checkpoints/step-3 main/checkpoints/step-3 && cat main/checkpoints/step-3`,
  );

  headline('The workload can not damage the history');
  await inside('rm -rf /workspace/.jvs/snapshots 2>&1 | tail -n 1; ls /workspace/.jvs/snapshots');

  headline('An agent answers grpcurl (through kubectl port-forward deploy/jvs-training 7443)');
  await using agent = await forwardAgent('deploy/jvs-training');
  await grpcurl(agent, 'list');
  await grpcurl(agent, 'jvs.agent.v1.Agent/ListSnapshots');
  await grpcurl(agent, '-d', JSON.stringify({ id }), 'jvs.agent.v1.Agent/Verify');
}

const ready = (...objects: string[]) =>
  shell('kubectl', 'wait', '--for=condition=Ready', '--timeout=180s', ...objects);

async function shell(command: string, ...args: string[]): Promise<true> {
  console.log(`\n$ ${[command, ...args].map(quote).join(' ')}`);
  console.log((await output(command, args)).trimEnd());
  return true;
}

async function grpcurl({ address }: Forward, ...args: string[]): Promise<void> {
  const options = args.slice(0, -1);
  const method = args.at(-1) ?? '';
  const shown = ['grpcurl', '-plaintext', ...options, 'localhost:7443', method];
  console.log(`\n$ ${shown.map(quote).join(' ')}`);
  console.log((await output('grpcurl', ['-plaintext', ...options, address, method])).trimEnd());
}

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

function headline(text: string): void {
  console.log(`\n━━ ${text}`);
}

await tour();
console.log(next);
