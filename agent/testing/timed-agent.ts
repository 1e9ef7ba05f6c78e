// The agent as a process whose schedule's time passes faster: node timed-agent.ts <volume> <speed> <shown> [<at>].
// At `at` (milliseconds since the epoch), or when it starts, its clock shows `shown`, and runs `speed` times as fast from
// then on.
import { createLogger } from '../../shared/log.ts';
import { startAgent } from '../agent.ts';
import { type Clock, systemClock } from '../clock.ts';
import { parseConfig } from '../config.ts';
import { openNative } from '../repository/native/native.ts';

const [volume = '', speed, shown, at = Date.now()] = process.argv.slice(2);
const [factor, origin, start] = [Number(speed), Number(shown), Number(at)];
const clock: Clock = {
  now: () => new Date(origin + (Date.now() - start) * factor),
  sleep: (milliseconds, signal) => systemClock.sleep(milliseconds / factor, signal),
};
const config = parseConfig(
  [
    ...[`--volume=${volume}`, '--workspace=ml', '--namespace=team'],
    ...['--debug-address=127.0.0.1:0', '--health-port=0'],
  ],
  {},
);
const log = createLogger('agent');
const agent = await startAgent(
  config,
  (engine) => openNative({ volume, engine, holder: 'timed', log }),
  log,
  clock,
);
process.on('SIGTERM', () => void agent.stop(10_000).then(() => process.exit(0)));
