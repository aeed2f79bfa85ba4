"""Deaths at every await that touches MongoDB or Kafka, in real processes, each one checked."""
