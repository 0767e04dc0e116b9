// Reads objects as JSON from stdin, and says for each what its operator's published definition does not take: a list of lists.
import * as gateway from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import * as monitoring from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';

const KINDS = { 'gateway.networking.k8s.io/v1': gateway, 'monitoring.coreos.com/v1': monitoring };

function refused(one) {
  const known = KINDS[one.apiVersion]?.[one.kind];
  if (!known) return [`nobody has published ${one.apiVersion} ${one.kind}`];
  try {
    new known(one).validate();
    return [];
  } catch (error) {
    return error.errors?.map((each) => `${each.instancePath}: ${each.message}`) ?? [error.message];
  }
}

let text = '';
for await (const chunk of process.stdin) text += chunk;
process.stdout.write(JSON.stringify(JSON.parse(text).map(refused)));
