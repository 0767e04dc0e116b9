"""What speed and quality are measured with."""
