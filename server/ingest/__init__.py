"""From a request to durable: the pipeline, the queue and the writer."""
