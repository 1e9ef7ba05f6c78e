import { wholeNumber } from '../../shared/command-line.ts';
import type { Command } from './command.ts';
import { agentPod, workspaceNamed } from './find.ts';

export const logs: Command = async ({ args, kube, terminal }) => {
  const [name = ''] = args.operands;
  const tail = wholeNumber(args, 'tail');
  const pod = await agentPod(kube, await workspaceNamed(kube, name));
  const lines = kube.logs(pod, {
    container: 'jvs-agent',
    ...(args.flag('follow') && { follow: 'true' }),
    ...(tail !== undefined && { tailLines: String(tail) }),
  });
  await terminal.pass(lines);
};
