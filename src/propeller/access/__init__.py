"""Who somebody is, and what they may do: rules without IO or a clock."""
